"""The words of which the demo's accounts are made. All invented; many are not ASCII, some need quoting in a CSV."""

from __future__ import annotations

STEMS = (
    "Åkerlund", "Müller & Söhne", "São Bento", "Łódź", "Nordwind", "Kováč", "Dvořák", "O'Brien", "Smith, Jones",
    "Çelik", 'The "Blue" Mill', "東京精機", "서울", "Πειραιάς", "Кузнецов", "Ñandú", "Straße 9", "Élan", "Zürich-See",
    "Fjord", "Hartmann", "Bergström", "Valdés", "Tanaka", "Okonkwo", "Delacroix", "Kowalczyk", "Brightwater",
    "Greyfield", "Redwood", "Silverton", "Ironbridge",
)  # fmt: skip
TRADES = (
    "Pumps", "Werkzeugbau", "Logistics", "Papier", "Énergie", "Foods", "Optik", "Textiles", "Maschinen", "Robotics",
    "Glas", "Chemicals", "Café ☕", "Marine", "Stahl", "Medical",
)  # fmt: skip
LEGAL_FORMS = ("GmbH", "AB", "Inc.", "S.A.", "Ltd", "株式会社", "Kft.", "Co., Ltd.")
STREETS = (
    "Hauptstraße", "Rue de l'Église", "Storgatan", "Market Street", "Calle Mayor", "Via Roma", "ul. Piłsudskiego",
    "Avenida da Liberdade", "Kungsgatan", "Náměstí Míru", "Bahnhofstraße", "Queen's Road, Unit", "Quai № 7, Dock",
    "Chaussée d'Anvers", "Łąkowa", "Industriepark Süd, Halle",
)  # fmt: skip
#: Most addresses have one line; the others have a second, which in a CSV is a quoted line break.
SECOND_LINES = (
    "", "", "", "", "", "", "", "", "", "", "", "Building C", "2nd floor, left", 'Gate "North"', "c/o Öğretmen", "5階",
)  # fmt: skip
CITIES = (
    ("80331", "München", "Germany"), ("75011", "Paris", "France"), ("111 29", "Stockholm", "Sweden"),
    ("90-001", "Łódź", "Poland"), ("1100-148", "Lisboa", "Portugal"), ("28013", "Madrid", "Spain"),
    ("8001", "Zürich", "Switzerland"), ("110 00", "Praha", "Czechia"), ("100-0001", "東京", "Japan"),
    ("04524", "서울", "Korea"), ("185 31", "Πειραιάς", "Greece"), ("34000", "İstanbul", "Türkiye"),
    ("SW1A 1AA", "London", "United Kingdom"), ("D02 X285", "Dublin", "Ireland"), ("1050", "Bruxelles", "Belgium"),
    ("60601", "Chicago", "United States"),
)  # fmt: skip
INDUSTRIES = (
    "Agriculture", "Apparel", "Banking", "Biotechnology", "Chemicals", "Construction", "Consulting", "Education",
    "Electronics", "Energy", "Engineering", "Finance", "Machinery", "Manufacturing", "Transportation", "Utilities",
)  # fmt: skip
#: Values of the restricted picklist BillingGeocodeAccuracy; most exports leave it empty.
ACCURACIES = ("", "", "", "", "Address", "Street", "Zip", "City")
