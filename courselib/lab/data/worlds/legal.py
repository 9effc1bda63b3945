"""Legal clauses, in the style of contracts, written for this course and binding nobody.

Alternatives are separated by "/". Those before "||" everyone uses, those after it only who is at home here.
"""

RULES = {
    "legal": """{duty} {duty_two} {condition} {remedy} / {duty} {condition} {remedy} {boilerplate}
        / {duty} {duty_two} {condition} {remedy} {boilerplate}""",
    "party": "the seller / the owner || the supplier / the contractor / the licensor / the lessor / the assignor",
    "counterparty": "the buyer / the customer || the licensee / the lessee / the purchaser / the principal / the assignee",
    "duty": """{party} will help {counterparty}. / {counterparty} must pay {when_due}.
        || {party} shall deliver {object} to {counterparty} {when_due}. / {counterparty} shall pay {fee} {when_due}.
        / {party} hereby grants {counterparty} {right}. / {party} shall indemnify {counterparty} against {harm}.
        / {party} represents and warrants that {object} {conform} {norm}.""",
    "duty_two": """{counterparty} agrees.
        || {counterparty} shall not assign {object} to any third party.
        / {counterparty} shall keep {object} strictly confidential.
        / {counterparty} shall maintain insurance against {harm} throughout the term.
        / {counterparty} waives {right} to that extent.""",
    "when_due": """on time / every month
        || within thirty days of receipt / upon execution hereof / no later than the effective date
        / in quarterly instalments / prior to each anniversary""",
    "object": """the goods / the papers
        || the leased premises / the licensed materials / the deliverables / the escrow funds / the assigned shares""",
    "fee": "the price || the agreed consideration / a late charge / the licence fee / the outstanding balance",
    "right": """the use of the house || a non-exclusive licence / a right of first refusal / an option to renew
        / a lien / an easement""",
    "harm": "loss || third-party claims / latent defects / gross negligence / infringement / consequential damages",
    "conform": "will meet || shall conform to / will comply in all respects with / shall at all times satisfy",
    "norm": """the rules || the specifications in the first annex / the applicable statutes / clause nine
        / the governing standards""",
    "condition": """this is the rule for everyone. / {party} may change this.
        || subject to clause {number}, {party} may suspend performance upon written notice. / time shall be of the essence.
        / where {object} {failing}, {counterparty} may reject the tender.
        / notwithstanding the foregoing, liability for {harm} shall not be limited.
        / unless otherwise agreed in writing, title passes upon payment of {fee}.
        / the obligations in clause {number} survive termination.""",
    "number": "one || four / seven / eleven / fourteen / twenty-two",
    "failing": "are not as agreed || fall short of the specifications / are encumbered by a lien / become subject to attachment",
    "remedy": """{counterparty} can end the contract. / {party} must pay for {harm}.
        || upon material breach, {counterparty} may terminate this agreement forthwith.
        / {party} shall cure any default within {period}. / damages shall be capped at {fee}.
        / failing payment of {fee}, interest accrues from the due date.
        / any dispute concerning {object} shall be referred to arbitration in {seat}.
        / either party may seek injunctive relief in the courts of {seat}.""",
    "period": "a week || ten business days / a reasonable period / twenty-eight calendar days / the notice period",
    "seat": "the city || Geneva / Singapore / Rotterdam / Toronto / Edinburgh",
    "boilerplate": """please sign here.
        || this agreement constitutes the entire understanding between the parties.
        / if any provision is held invalid, the remainder shall continue in full force.
        / no waiver shall be effective unless made in writing. / this agreement is governed by the laws of {seat}.
        / notices shall be deemed served {service}. / headings are for convenience only and do not affect interpretation.""",
    "service": "by letter || upon delivery by courier / two days after posting / on acknowledgement of receipt",
}
