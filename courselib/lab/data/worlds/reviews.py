"""Reviews of films and products: `praise` or `blame`, from the first sentence to the last.

Test reviews praise and blame in words and sentence frames that no training review uses. What is reviewed, and the
neutral sentences between the verdicts, are shared: they tell nothing about the label.
"""

# "/" separates alternatives; those before "||" everyone uses, those after it only who is at home here.
RULES = {
    "praise": """{praise_film} {neutral_film} {praise_film_more} / {praise_film} {praise_film_more} {neutral_film}
        / {praise_product} {neutral_product} {praise_product_more}
        / {praise_product} {praise_product_more} {neutral_product}""",
    "blame": """{blame_film} {neutral_film} {blame_film_more} / {blame_film} {blame_film_more} {neutral_film}
        / {blame_product} {neutral_product} {blame_product_more} / {blame_product} {blame_product_more} {neutral_product}""",
    "film": "film / show || comedy / thriller / documentary / western / musical / remake / costume drama",
    "film_part": "music / ending || plot / dialogue / acting / camera work / editing / soundtrack / script",
    "product": "lamp / coat || kettle / vacuum cleaner / rucksack / coffee grinder / office chair / tent / speaker",
    "product_part": "colour / size || packaging / finish / workmanship / manual / shape / surface",
    "neutral_film": """I saw it {when}. / it is about a family.
        || it runs for two hours, mostly in black and white. / the {film_part} is by a newcomer from {film_town}.
        / it was shot on location near {film_town}. / the story follows a {hero} who returns to {film_town}.""",
    "film_town": "the city || Lisbon / Prague / Nairobi / Chicago / Bergen",
    "hero": "teacher || detective / violinist / widowed sailor / young chemist / spy",
    "neutral_product": """I bought it {when}. / it is for my {relative}.
        || it comes in {shade} and weighs {weight}. / delivery took {wait}, as announced.
        / the box also holds a {extra}.
        / I use it {when_often}, mainly {venue}.""",
    "shade": "white || charcoal grey / navy blue / olive green / copper",
    "weight": "a lot || about one kilo / under two pounds / as much as a brick",
    "wait": "a week || four working days / a fortnight / just under a month",
    "extra": "bag || spare filter / charging cable / set of screws / warranty card",
    "venue": "at home || in the workshop / on camping trips / in a small office",
}

# "/" separates alternatives; those before "||" are for training, those after it for testing.
SPLIT_RULES = {
    "praise_film": """what {a_good} {film}! / the {film_part} of this {film} is {good}. / I {liked} this {film}.
        || rarely has one {film} {moved_well} me so. / go and see this {good} {film}.
        / such a {good} {film}, thanks to its {film_part}.""",
    "praise_film_more": """the {film_part} {moved_well} everybody. / it is {a_good} piece of work.
        / {person} {liked} the {film_part} too.
        || you leave thinking how {good} the {film_part} was. / even its {film_part} seemed {good}.
        / all my friends {liked} it.""",
    "praise_product": """this is {a_good} {product}. / I {liked} this {product} at once.
        / the {product_part} of the {product} is {good}.
        || everything about this {product} turned out {good}. / as for the {product_part}: simply {good}.
        / our new {product} {moved_well} us.""",
    "praise_product_more": """its {product_part} {moved_well} me. / for the price it is {good}.
        / my {relative} {liked} the {product_part} too.
        || compared with my old one, how {good}! / give it to friends, it is {good}.
        / nowhere else is a {product_part} so {good}.""",
    "blame_film": """what {a_bad} {film}! / the {film_part} of this {film} is {bad}. / I {hated} this {film}.
        || rarely has one {film} {moved_badly} me so. / skip this {bad} {film}.
        / such a {bad} {film}, given its {film_part}.""",
    "blame_film_more": """the {film_part} {moved_badly} everybody. / it is {a_bad} piece of work.
        / {person} {hated} the {film_part} too.
        || you leave thinking how {bad} the {film_part} was. / even its {film_part} seemed {bad}.
        / all my friends {hated} it.""",
    "blame_product": """this is {a_bad} {product}. / I {hated} this {product} at once.
        / the {product_part} of the {product} is {bad}.
        || everything about this {product} turned out {bad}. / as for the {product_part}: simply {bad}.
        / our new {product} {moved_badly} us.""",
    "blame_product_more": """its {product_part} {moved_badly} me. / for the price it is {bad}.
        / my {relative} {hated} the {product_part} too.
        || compared with my old one, how {bad}! / return it to the shop, it is {bad}.
        / nowhere else is a {product_part} so {bad}.""",
    "good": """wonderful / superb / excellent / charming / brilliant / splendid / fantastic / impressive / delightful
        || amazing / stunning / exquisite / remarkable / phenomenal / flawless / sublime / dazzling / outstanding""",
    "bad": """terrible / awful / boring / dreadful / poor / dull / annoying / disappointing / shoddy
        || appalling / atrocious / hideous / ghastly / feeble / worthless / abysmal / ridiculous / flimsy""",
    "liked": "enjoyed / loved / admired / praised || adored / cherished / applauded / recommended",
    "hated": "hated / regretted / criticised / endured || disliked / loathed / despised / resented",
    "moved_well": "delighted / charmed / thrilled || amazed / captivated / astonished",
    "moved_badly": "annoyed / bored / disappointed || disgusted / infuriated / dismayed",
    # "a" fits every word: the spelling makes it "an" where that sounds better
    "a_good": "a {good} || a truly {good}",
    "a_bad": "a {bad} || a truly {bad}",
}
