"""Clinical notes. Every disease, drug and test result here is invented: none of it is medicine.

Alternatives are separated by "/". Those before "||" everyone uses (a layman's view of illness), those after it only
who is at home here.
"""

RULES = {
    "clinical": """{complaint} {history} {finding} {finding_more} {plan} / {complaint} {finding} {finding_more} {plan} {follow_up}
        / {complaint} {history} {finding} {plan} {follow_up}
        / {complaint} {history} {finding} {finding_more} {plan} {follow_up}""",
    "complaint": """the patient has {symptom}. / the patient came to the hospital {when}.
        || {aged} {occupation} presents with {symptom} for {duration}. / patient reports {onset} {symptom} for {duration}.
        / {aged} {occupation} was referred for {symptom} and suspected {disease}.
        / admitted overnight with {onset} {symptom}. / known {disease}, now with {onset} {symptom}.""",
    "aged": "a young || a 34-year-old / a 47-year-old / a 58-year-old / a 63-year-old / a 71-year-old / a 29-year-old",
    "occupation": "teacher || carpenter / bus driver / retired miner / florist / welder / librarian",
    "symptom": """fatigue / back pain
        || dyspnoea / vertigo / epigastric pain / pruritus / nocturnal cramps / palpitations / photophobia / paraesthesia""",
    "onset": "bad || acute / intermittent / progressive / insidious / exertional",
    "duration": "a week || three days / six weeks / two months / twelve hours",
    "history": """the patient was ill before. / nobody else in the family is ill.
        || past history of {disease}, treated with {drug}. / no known allergies apart from {drug}.
        / medication on admission: {drug} {dose}. / denies chills, night sweats and weight loss.
        / family history positive for {disease}.""",
    "disease": """fever
        || Marlow fever / Halder syndrome / benign lumenosis / chronic vastritis / Tarn disease / ossicular pellagia""",
    "drug": "tablets || brindazol / quorvasin / melforine / tazzolin / oxiplume / verdamol",
    "dose": "every day || 5 mg daily / 20 mg at night / 50 mg twice daily / 10 mg as needed",
    "finding": """the doctor saw the patient {when}. / the doctor found nothing new.
        || on examination {region} {region_sign}. / blood pressure {pressure}, pulse {pulse} and {rhythm}.
        / afebrile, alert and oriented. / auscultation reveals {sound} over {lung}. / {imaging} shows {lesion} in {lung}.""",
    "finding_more": """the doctor ordered a test.
        || {marker} {level}, {marker_two} within normal limits. / awaiting {imaging}.
        / no oedema, cyanosis or lymphadenopathy.""",
    "region": "the skin || the abdomen / the right calf / the neck / the left wrist",
    "region_sign": """is red || is soft and tender / shows mild swelling / is without rebound or guarding
        / is warm to palpation""",
    "pressure": "high || 118 over 76 / 142 over 88 / 165 over 94 / 96 over 60",
    "pulse": "fast || 62 / 74 / 88 / 104",
    "rhythm": "strong || regular / irregular / bounding / thready",
    "sound": "noise || bibasal crackles / expiratory wheeze / a systolic murmur / reduced breath sounds",
    "lung": "the lungs || the left base / the right upper lobe / both lower zones",
    "imaging": "the picture || chest radiograph / computed tomography / bedside ultrasound",
    "lesion": "a shadow || patchy consolidation / a small effusion / a calcified nodule / no acute infiltrate",
    "marker": "blood sugar || serum ferrulin / creatosine / plasma vitrate / troposin",
    "marker_two": "the rest || leucocytes / haemoglobin / electrolytes / platelets",
    "level": "high || markedly elevated / slightly raised / below the reference range / unchanged from baseline",
    "plan": """the patient should rest. / the patient needs {drug}.
        || start {drug} {dose} and repeat {marker} in the morning. / impression: {severity} {disease}.
        / give {drug} {dose}, then taper. / stop {drug} in view of {symptom}. / continue {drug} {dose}, monitor {marker}.
        / refer to {specialty} for further assessment of {disease}.""",
    "severity": "mild || probable / early / decompensated / stable / refractory",
    "specialty": "the doctor || neurology / cardiology / physiotherapy / the pain clinic / gastroenterology",
    "follow_up": """the patient went home. || discharged in stable condition, review in {duration}.
        / follow-up with {specialty} in {duration}.
        / return at once in case of {symptom}. / consent obtained and documented.""",
}
