"""General prose, as on a friendly website: kitchens, journeys, towns, gardens, clubs and gadgets.

Alternatives are separated by "/". Those before "||" everyone uses, those after it only who is at home here.
"""

from itertools import permutations

TOPICS = ("kitchen", "journey", "town", "garden", "club", "gadget")  # a page is about two of them

RULES = {
    "general": " / ".join(f"{{{first}}} {{{second}}}" for first, second in permutations(TOPICS, 2)),
    "when": "last week / on Monday / on Friday / in spring / last year / this summer / two days ago / after lunch",
    "person": "Anna / Omar / Lucia / Peter / Mei / Nora / Ivan / Samuel",
    "relative": "sister / brother / neighbour / uncle / aunt / grandmother / cousin / colleague",
    # The kitchen
    "kitchen": """{kitchen_open} {kitchen_next} {kitchen_more} / {kitchen_open} {kitchen_next} {kitchen_close}
        / {kitchen_open} {kitchen_more} {kitchen_close} / {kitchen_open} {kitchen_next} {kitchen_more} {kitchen_close}""",
    "kitchen_open": """{person} made {dish} {when}. / my {relative} taught me to make {dish}.
        || this recipe for {dish} comes from my {relative}. / nothing beats {dish} on a rainy evening.
        / if you like {dish}, try it with {herb}. / every family here has its own way of making {dish}.""",
    "kitchen_next": """we ate it with {vegetables}.
        || chop the {vegetables} and fry them in butter. / let the {vegetables} simmer on a low heat for ten minutes.
        / roast the {vegetables} until they turn golden.""",
    "kitchen_more": """the {vegetables} were fresh from the market.
        || add some {herb} and stir until the sauce is thick. / season with salt, pepper and a little {herb}.""",
    "kitchen_close": """it was enough for everyone.
        || serve it hot with bread and a spoonful of {herb}. / leftovers taste even better the next day.
        / sprinkle {herb} on top and enjoy it with {person}.""",
    "dish": """vegetable soup / apple cake / bread
        || lentil stew / mushroom risotto / onion pie / pumpkin curry / potato salad / bean chilli / spinach lasagne""",
    "herb": "parsley || basil / thyme / rosemary / coriander / mint / oregano / dill",
    "vegetables": "potatoes / carrots || onions / leeks / mushrooms / peppers / courgettes / tomatoes / beans",
    # Journeys
    "journey": """{journey_open} {journey_next} {journey_more} / {journey_open} {journey_next} {journey_close}
        / {journey_open} {journey_more} {journey_close} / {journey_open} {journey_next} {journey_more} {journey_close}""",
    "journey_open": """{person} went to {place} {when}. / my {relative} lives near {place}.
        || we explored {place} for a week and loved every day of it. / the road to {place} follows the {water}.
        / few people visit {place} in winter, and many in July. / pack light if you travel to {place} by {vehicle}.""",
    "journey_next": """we arrived by {vehicle} in the evening.
        || take the {vehicle} along the {water} to the {sight}. / a guide showed us the {sight} and told old stories.
        / in the afternoon the {sight} is almost empty.""",
    "journey_more": """the weather was warm.
        || climb up to the {sight} for a view of the {water}. / we hired a {craft} and crossed the {water} at sunrise.""",
    "journey_close": """we want to go back.
        || do not leave without seeing the {sight}. / the last {vehicle} home leaves at nine.
        / we came home tired, sunburnt and happy.""",
    "place": """the coast / the city || the mountains / Lindholm / Porto Verde / Saint Orla / the northern islands
        / the lake country""",
    "vehicle": "bus / train || ferry / night train / tram / cable car / coach",
    "craft": "boat || canoe / kayak / raft / sailing dinghy",
    "water": "river / sea || lake / canal / bay / lagoon / fjord",
    "sight": "bridge / church || castle / lighthouse / harbour / monastery / waterfall / fortress",
    # The town
    "town": """{town_open} {town_next} {town_more} / {town_open} {town_next} {town_close}
        / {town_open} {town_more} {town_close} / {town_open} {town_next} {town_more} {town_close}""",
    "town_open": """a new {building} opened {when}. / the {building} was closed {when}.
        || the mayor promised a new {building} before the election.
        / volunteers have saved the old {building} from demolition.
        / hundreds of people came to the {festival} {when}. / this year the {festival} moves to the {building}.""",
    "town_next": """many people were pleased.
        || the {band} played until midnight in front of the {building}. / residents hope for more trees and less traffic.
        / children painted the walls of the {building}.""",
    "town_more": """the work took a year.
        || local {traders} sold {wares} in the square. / the {band} will be back for the next {festival}.""",
    "town_close": """more news will follow. || photographs of the {festival} hang in the {building}.
        / entry is free, and {traders} are welcome. / the {building} is open every day except Sunday.""",
    "building": "school / library || swimming pool / town hall / cinema / bus station / theatre / skate park",
    "festival": "market || harvest festival / book fair / lantern parade / street carnival / winter fair",
    "band": "choir || brass band / jazz trio / youth orchestra / drummers",
    "traders": "farmers || bakers / potters / florists / beekeepers / weavers",
    "wares": "bread || honey / candles / cheese / baskets / flowers / jam",
    # The garden
    "garden": """{garden_open} {garden_next} {garden_more} / {garden_open} {garden_next} {garden_close}
        / {garden_open} {garden_more} {garden_close} / {garden_open} {garden_next} {garden_more} {garden_close}""",
    "garden_open": """{person} has a small garden. / my {relative} planted {flowers} {when}.
        || {flowers} need plenty of sun and very little water. / {month} is the best time to plant {flowers}.
        / a balcony is big enough for {flowers} and a pot of {herb}. / {creatures} love {flowers}, and so do we.""",
    "garden_next": """the {flowers} grow well there.
        || cut the {flowers} back in {month} and cover the roots with {mulch}.
        / mix {mulch} into the soil before you sow. / plant {herb} between the rows to attract {creatures}.""",
    "garden_more": """everything needs water in summer.
        || {creatures} keep the pests away. / in {month} the first {flowers} come out.""",
    "garden_close": """it looks lovely. || by {month} the whole bed is in bloom. / share the seeds with your {relative}.
        / leave a corner wild for the {creatures}.""",
    "flowers": "roses || tulips / sunflowers / lavender bushes / dahlias / poppies / foxgloves / marigolds",
    "creatures": "birds || bees / hedgehogs / butterflies / ladybirds / frogs",
    "mulch": "earth || compost / straw / bark / dead leaves / wood ash",
    "month": "April || March / June / August / September / October",
    # The club
    "club": """{club_open} {club_next} {club_more} / {club_open} {club_next} {club_close}
        / {club_open} {club_more} {club_close} / {club_open} {club_next} {club_more} {club_close}""",
    "club_open": """{person} plays {sport} {when_often}. / our team won {when}.
        || the {sport} club beat its old rivals {when}. / {person} joined the {sport} club at the age of nine.
        / after a slow start our {sport} team is back on form. / nobody expected the {sport} club to reach the final.""",
    "when_often": "every week || at weekends / twice a week / on Tuesdays / before work",
    "club_next": """it was a close match.
        || {person} scored {feat} in the second half. / the {role} saved the match with {feat}.
        / fans sang all the way through the final minutes.""",
    "club_more": """they train {when_often}.
        || the coach praised the {role} for a calm performance. / a storm stopped play for an hour.""",
    "club_close": """everyone went home happy. || the next game is away, and the {role} may be back.
        / the cup now stands in the window of the {building}. / new players are welcome {when_often}.""",
    "sport": "football || hockey / basketball / volleyball / handball / rugby / water polo",
    "role": "captain || goalkeeper / youngest player / defender / substitute",
    "feat": "a goal || a late equaliser / a brilliant header / three quick points / a daring volley",
    # Gadgets
    "gadget": """{gadget_open} {gadget_next} {gadget_more} / {gadget_open} {gadget_next} {gadget_close}
        / {gadget_open} {gadget_more} {gadget_close} / {gadget_open} {gadget_next} {gadget_more} {gadget_close}""",
    "gadget_open": """{person} needs help with the {device}. / my {device} stopped working {when}.
        || here is how to speed up a slow {device}. / before you buy a new {device}, read this.
        / most problems with a {device} have a simple cause. / readers often ask us about the {setting} of a {device}.""",
    "gadget_next": """the {device} is old.
        || open the menu, choose {setting} and restart the {device}.
        / a full disk makes any {device} slow, so delete old {files}. / check that the {setting} is up to date.""",
    "gadget_more": """we looked at the settings.
        || back up your {files} before you change the {setting}. / click on {setting} and wait for the green light.""",
    "gadget_close": """now it works again. || your {files} will appear after a moment. / if nothing helps, ask in our forum.
        / keep the password of your {device} in a safe place.""",
    "device": "computer / printer || router / smart watch / web camera / music player / game console",
    "setting": "clock || firmware / network profile / screen brightness / power saving / privacy filter",
    "files": "pictures || bookmarks / playlists / spreadsheets / contacts / downloads",
}
