"""Invented people by region: names, cities, hospitals and the character sets that their hospitals write."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    """Where an invented patient lives.

    Attributes:
        name: of the region.
        character_set: SpecificCharacterSet of its hospitals (PS3.3 C.12.1.1.2), one or several values.
        families: family names; where a name has ideographic and phonetic groups, each is "Latin=ideographic=phonetic".
        women, men: given names, in the same form.
        cities: "city, street" of addresses.
        hospitals: names of institutions.
        dialing_code: of telephone numbers.
        utc_offset: of its clocks in winter.
    """

    name: str
    character_set: tuple[str, ...]
    families: tuple[str, ...]
    women: tuple[str, ...]
    men: tuple[str, ...]
    cities: tuple[str, ...]
    hospitals: tuple[str, ...]
    dialing_code: str
    utc_offset: str = "+0100"


#: Western and eastern Europe, Greece, Russia, Japan, Korea, China: what radiology archives there hold
REGIONS = (
    Region(
        "Germany",
        ("ISO_IR 100",),
        ("Müller", "Schäfer", "Köhler", "Weiß", "Brandtner", "Jäger", "Ostermann", "Kröger"),
        ("Hannelore", "Käthe", "Jürgena", "Sieglinde", "Annegret"),
        ("Hansjörg", "Günther", "Jürgen", "Reinhold", "Wolfhard"),
        ("Lübeck, Mühlenstraße 12", "Würzburg, Schönbornring 3", "Köln, Pfälzer Weg 41"),
        ("Klinikum Sankt Ägidius", "Kreiskrankenhaus Dörnfeld", "Marienhospital Nordhöhe"),
        "+49",
    ),
    Region(
        "Japan",
        ("", "ISO 2022 IR 87"),
        ("Yamada=山田=やまだ", "Suzuki=鈴木=すずき", "Kobayashi=小林=こばやし", "Watanabe=渡辺=わたなべ"),
        ("Hanako=花子=はなこ", "Yuko=裕子=ゆうこ", "Sakura=桜=さくら"),
        ("Tarou=太郎=たろう", "Kenji=健二=けんじ", "Hiroshi=浩=ひろし"),
        ("Sapporo, Odori 5-12", "Sendai, Aoba 3-7", "Matsuyama, Dogo 2-1"),
        ("Sakuragaoka Sogo Byoin", "Minami Kagawa Hospital", "Hokuto Medical Center"),
        "+81",
        "+0900",
    ),
    Region(
        "France",
        ("ISO_IR 192",),
        ("Lefèvre", "Beauséjour", "Garçon", "Noël", "Aubépin", "Thévenet"),
        ("Amélie", "Geneviève", "Françoise", "Maëlle"),
        ("François", "Aurélien", "Raphaël", "Gérard"),
        ("Besançon, 14 rue des Tanneurs", "Orléans, 2 allée du Château", "Nîmes, 77 avenue Cévenole"),
        ("Hôpital de la Fougeraie", "Clinique du Pré-aux-Chênes", "CHU Beaurivage"),
        "+33",
    ),
    Region(
        "Korea",
        ("", "ISO 2022 IR 149"),
        ("Hong=洪=홍", "Kim=金=김", "Park=朴=박", "Jeong=鄭=정"),
        ("Yeonghui=英姬=영희", "Sujin=秀珍=수진", "Minji=敏智=민지"),
        ("Gildong=吉洞=길동", "Cheolsu=哲洙=철수", "Junho=俊昊=준호"),
        ("Daejeon, Yuseong-daero 91", "Busan, Haeundae-ro 12", "Jeonju, Paldal-ro 33"),
        ("Hanbit University Hospital", "Saebyeok Medical Center", "Dongsan Byeongwon"),
        "+82",
        "+0900",
    ),
    Region(
        "Russia",
        ("ISO_IR 144",),
        ("Люксембург", "Соколова", "Берёзкин", "Жуковская", "Орешин"),
        ("Людмила", "Екатерина", "Ольга"),
        ("Дмитрий", "Аркадий", "Сергей"),
        ("Псков, Садовая улица 4", "Тверь, Речная улица 18", "Вологда, Лесной проезд 2"),
        ("Больница Святой Анны", "Городская больница 14", "Клиника Заречье"),
        "+7",
        "+0300",
    ),
    Region(
        "China",
        ("GB18030",),
        ("Zhang=张=", "Wang=王=", "Ouyang=欧阳=", "Zhao=赵="),
        ("XiaoMei=小美=", "LiHua=丽华=", "Yan=燕="),
        ("XiaoDong=小东=", "JianGuo=建国=", "Wei=伟="),
        ("Chengdu, Renmin Nanlu 118", "Hangzhou, Wensan Lu 27", "Xi'an, Gulou Jie 6"),
        ("Qinghe Renmin Yiyuan", "Baiyun Central Hospital", "Donghu Hospital"),
        "+86",
        "+0800",
    ),
    Region(
        "Greece",
        ("ISO_IR 126",),
        ("Διονυσιάδης", "Παπαδοπούλου", "Καραγιάννης", "Οικονόμου"),
        ("Ελένη", "Δήμητρα", "Σοφία"),
        ("Διονύσιος", "Γεώργιος", "Νικόλαος"),
        ("Πάτρα, Αγίου Ανδρέου 22", "Βόλος, Ιάσονος 9", "Χανιά, Κυδωνίας 51"),
        ("Νοσοκομείο Άγιος Λουκάς", "Γενικό Νοσοκομείο Θάλεια", "Κλινική Ασκληπιός"),
        "+30",
        "+0200",
    ),
    Region(
        "Poland",
        ("ISO_IR 101",),
        ("Wiśniewska", "Dąbrowski", "Łuczak", "Źródłowski", "Kępińska"),
        ("Małgorzata", "Agnieszka", "Bożena"),
        ("Stanisław", "Przemysław", "Józef"),
        ("Łódź, ulica Źródlana 8", "Toruń, ulica Mostowa 31", "Rzeszów, ulica Leśna 5"),
        ("Szpital Świętej Jadwigi", "Szpital Wojewódzki Brzezina", "Klinika Nad Łąką"),
        "+48",
    ),
)
