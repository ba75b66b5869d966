//! What time it is where a number is, as far as the number tells.
//!
//! A country with several time zones is told by the area code where there is one (North America); elsewhere all its
//! zones are possible, and whoever must not be woken is asked for in each of them.

use super::rules::TimeOfDay;
use crate::live::number::PhoneNumber;
use crate::vocabulary::UnixMillis;
use chrono::{DateTime, Timelike as _};
use chrono_tz::Tz;

/// The time at a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The possible times there, the earliest zone of the table first; equal ones once.
    pub times: Vec<TimeOfDay>,
    /// The zone, if there is only one.
    pub zone: Option<&'static str>,
}

impl LocalTime {
    /// As a host reads it: `23:10`, or `20:10 to 23:10`.
    pub fn words(&self) -> String {
        match (self.times.first(), self.times.last()) {
            (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
            (Some(only), _) => only.to_string(),
            (None, _) => String::new(),
        }
    }
}

/// The time where this number is; `None` for networks without a country and countries without a zone here.
pub fn local_time(number: &PhoneNumber, wall: UnixMillis) -> Option<LocalTime> {
    let zones = zones_of(number)?;
    let at = DateTime::from_timestamp_millis(i64::try_from(wall.0).ok()?)?;
    let mut times: Vec<TimeOfDay> = Vec::with_capacity(zones.len());
    for zone in zones {
        let there = at.with_timezone(&zone.parse::<Tz>().ok()?);
        let minutes = u16::try_from(there.hour() * 60 + there.minute()).ok()?;
        let time = TimeOfDay::from_minutes(minutes);
        if times.last() != Some(&time) {
            times.push(time);
        }
    }
    let zone = match zones {
        [only] => Some(*only),
        _ => None,
    };
    Some(LocalTime { times, zone })
}

fn zones_of(number: &PhoneNumber) -> Option<&'static [&'static str]> {
    let country = number.country.as_deref()?;
    if matches!(country, "US" | "CA") && number.e164.starts_with("+1") {
        let area = number.e164.get(2..5).and_then(|area| area.parse::<u16>().ok());
        let known = area.and_then(|area| AREAS.iter().find(|(_, areas)| areas.contains(&area)));
        if let Some((zones, _)) = known {
            return Some(zones);
        }
    }
    ZONES.iter().find(|(code, _)| *code == country).map(|(_, zones)| *zones)
}

/// The area codes of the United States and Canada by zone. Where a border runs through an area, both zones stand.
const AREAS: &[(&[&str], &[u16])] = &[
    (
        &["America/New_York"],
        &[
            201, 202, 203, 207, 212, 215, 216, 220, 223, 227, 229, 231, 234, 239, 240, 248, 252, 267, 272,
            276, 283, 301, 302, 304, 305, 313, 315, 317, 321, 324, 326, 329, 330, 332, 336, 339, 347, 351,
            352, 363, 380, 386, 401, 404, 407, 410, 412, 413, 419, 434, 440, 443, 445, 448, 463, 470, 472,
            475, 478, 484, 486, 508, 513, 516, 517, 518, 540, 551, 561, 567, 570, 571, 582, 585, 586, 603,
            607, 609, 610, 614, 616, 617, 624, 631, 640, 645, 646, 656, 667, 678, 679, 680, 681, 689, 703,
            704, 706, 716, 717, 718, 724, 727, 728, 732, 734, 740, 743, 754, 757, 762, 765, 770, 772, 774,
            781, 786, 802, 803, 804, 810, 813, 814, 821, 826, 828, 835, 838, 839, 843, 845, 848, 854, 856,
            857, 859, 860, 861, 862, 863, 864, 878, 904, 908, 910, 912, 914, 917, 919, 929, 930, 934, 937,
            941, 943, 947, 948, 954, 959, 973, 978, 980, 983, 984, 989,
        ],
    ),
    (
        &["America/Chicago"],
        &[
            205, 210, 214, 217, 218, 224, 225, 228, 251, 254, 256, 262, 274, 281, 309, 312, 314, 316, 318,
            319, 320, 325, 331, 334, 337, 346, 353, 361, 402, 405, 408, 409, 414, 417, 430, 432, 447, 464,
            469, 479, 501, 504, 507, 512, 515, 531, 534, 539, 557, 563, 572, 573, 580, 601, 608, 612, 615,
            618, 621, 629, 630, 636, 641, 651, 659, 660, 662, 682, 708, 712, 713, 715, 726, 730, 731, 737,
            763, 769, 773, 779, 806, 815, 816, 817, 830, 832, 847, 870, 872, 901, 903, 913, 918, 920, 924,
            936, 938, 940, 945, 952, 956, 972, 975, 979, 985,
        ],
    ),
    (&["America/Denver"], &[303, 307, 385, 406, 435, 505, 575, 719, 720, 801, 970]),
    (&["America/Phoenix"], &[480, 520, 602, 623, 928]),
    (
        &["America/Los_Angeles"],
        &[
            206, 209, 213, 253, 279, 310, 323, 341, 350, 360, 369, 415, 424, 425, 442, 503, 509, 510, 530,
            559, 562, 564, 619, 626, 628, 650, 657, 661, 669, 702, 707, 714, 725, 738, 747, 760, 775, 805,
            818, 820, 831, 837, 840, 858, 909, 916, 925, 949, 951,
        ],
    ),
    (&["America/Los_Angeles", "America/Boise"], &[208, 458, 541, 971, 986]),
    (&["America/Denver", "America/Chicago"], &[308, 605, 620, 701, 785, 915]),
    (&["America/Chicago", "America/New_York"], &[270, 364, 423, 502, 606, 812, 850, 865, 906, 931]),
    (&["America/Anchorage"], &[907]),
    (&["Pacific/Honolulu"], &[808]),
    (&["America/Vancouver"], &[236, 250, 257, 604, 672, 778]),
    (&["America/Edmonton"], &[368, 403, 587, 780, 825]),
    (&["America/Whitehorse", "America/Yellowknife"], &[867]),
    (&["America/Regina"], &[306, 474, 639]),
    (&["America/Winnipeg"], &[204, 431, 584]),
    (&["America/Winnipeg", "America/Toronto"], &[807]),
    (
        &["America/Toronto"],
        &[
            226, 249, 263, 289, 343, 354, 365, 367, 382, 416, 418, 437, 438, 450, 468, 514, 519, 548, 579,
            581, 613, 647, 683, 705, 742, 753, 819, 873, 905, 942,
        ],
    ),
    (&["America/Halifax"], &[428, 506, 782, 902]),
    (&["America/St_Johns"], &[709, 879]),
];

/// The zones of each country, from west to east, one for each time that can be told apart.
const ZONES: &[(&str, &[&str])] = &[
    (
        "US",
        &[
            "Pacific/Honolulu",
            "America/Anchorage",
            "America/Los_Angeles",
            "America/Denver",
            "America/Chicago",
            "America/New_York",
        ],
    ),
    (
        "CA",
        &[
            "America/Vancouver",
            "America/Edmonton",
            "America/Winnipeg",
            "America/Toronto",
            "America/Halifax",
            "America/St_Johns",
        ],
    ),
    ("MX", &["America/Tijuana", "America/Hermosillo", "America/Mexico_City", "America/Cancun"]),
    ("BR", &["America/Rio_Branco", "America/Manaus", "America/Sao_Paulo", "America/Noronha"]),
    ("AU", &["Australia/Perth", "Australia/Darwin", "Australia/Brisbane", "Australia/Sydney"]),
    (
        "RU",
        &[
            "Europe/Kaliningrad",
            "Europe/Moscow",
            "Europe/Samara",
            "Asia/Yekaterinburg",
            "Asia/Omsk",
            "Asia/Krasnoyarsk",
            "Asia/Irkutsk",
            "Asia/Yakutsk",
            "Asia/Vladivostok",
            "Asia/Magadan",
            "Asia/Kamchatka",
        ],
    ),
    ("ID", &["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"]),
    ("KZ", &["Asia/Almaty"]),
    ("MN", &["Asia/Hovd", "Asia/Ulaanbaatar"]),
    ("CD", &["Africa/Kinshasa", "Africa/Lubumbashi"]),
    ("CL", &["Pacific/Easter", "America/Santiago"]),
    ("EC", &["Pacific/Galapagos", "America/Guayaquil"]),
    ("ES", &["Atlantic/Canary", "Europe/Madrid"]),
    ("PT", &["Atlantic/Azores", "Europe/Lisbon"]),
    ("GL", &["America/Nuuk"]),
    ("FM", &["Pacific/Chuuk", "Pacific/Pohnpei"]),
    ("KI", &["Pacific/Tarawa", "Pacific/Kiritimati"]),
    ("PF", &["Pacific/Tahiti", "Pacific/Gambier"]),
    ("PG", &["Pacific/Port_Moresby", "Pacific/Bougainville"]),
    ("NZ", &["Pacific/Auckland"]),
    ("AD", &["Europe/Andorra"]),
    ("AE", &["Asia/Dubai"]),
    ("AF", &["Asia/Kabul"]),
    ("AG", &["America/Antigua"]),
    ("AI", &["America/Anguilla"]),
    ("AL", &["Europe/Tirane"]),
    ("AM", &["Asia/Yerevan"]),
    ("AO", &["Africa/Luanda"]),
    ("AR", &["America/Argentina/Buenos_Aires"]),
    ("AS", &["Pacific/Pago_Pago"]),
    ("AT", &["Europe/Vienna"]),
    ("AW", &["America/Aruba"]),
    ("AX", &["Europe/Mariehamn"]),
    ("AZ", &["Asia/Baku"]),
    ("BA", &["Europe/Sarajevo"]),
    ("BB", &["America/Barbados"]),
    ("BD", &["Asia/Dhaka"]),
    ("BE", &["Europe/Brussels"]),
    ("BF", &["Africa/Ouagadougou"]),
    ("BG", &["Europe/Sofia"]),
    ("BH", &["Asia/Bahrain"]),
    ("BI", &["Africa/Bujumbura"]),
    ("BJ", &["Africa/Porto-Novo"]),
    ("BL", &["America/St_Barthelemy"]),
    ("BM", &["Atlantic/Bermuda"]),
    ("BN", &["Asia/Brunei"]),
    ("BO", &["America/La_Paz"]),
    ("BQ", &["America/Kralendijk"]),
    ("BS", &["America/Nassau"]),
    ("BT", &["Asia/Thimphu"]),
    ("BW", &["Africa/Gaborone"]),
    ("BY", &["Europe/Minsk"]),
    ("BZ", &["America/Belize"]),
    ("CC", &["Indian/Cocos"]),
    ("CF", &["Africa/Bangui"]),
    ("CG", &["Africa/Brazzaville"]),
    ("CH", &["Europe/Zurich"]),
    ("CI", &["Africa/Abidjan"]),
    ("CK", &["Pacific/Rarotonga"]),
    ("CM", &["Africa/Douala"]),
    ("CN", &["Asia/Shanghai"]),
    ("CO", &["America/Bogota"]),
    ("CR", &["America/Costa_Rica"]),
    ("CU", &["America/Havana"]),
    ("CV", &["Atlantic/Cape_Verde"]),
    ("CW", &["America/Curacao"]),
    ("CX", &["Indian/Christmas"]),
    ("CY", &["Asia/Nicosia"]),
    ("CZ", &["Europe/Prague"]),
    ("DE", &["Europe/Berlin"]),
    ("DJ", &["Africa/Djibouti"]),
    ("DK", &["Europe/Copenhagen"]),
    ("DM", &["America/Dominica"]),
    ("DO", &["America/Santo_Domingo"]),
    ("DZ", &["Africa/Algiers"]),
    ("EE", &["Europe/Tallinn"]),
    ("EG", &["Africa/Cairo"]),
    ("EH", &["Africa/El_Aaiun"]),
    ("ER", &["Africa/Asmara"]),
    ("ET", &["Africa/Addis_Ababa"]),
    ("FI", &["Europe/Helsinki"]),
    ("FJ", &["Pacific/Fiji"]),
    ("FK", &["Atlantic/Stanley"]),
    ("FO", &["Atlantic/Faroe"]),
    ("FR", &["Europe/Paris"]),
    ("GA", &["Africa/Libreville"]),
    ("GB", &["Europe/London"]),
    ("GD", &["America/Grenada"]),
    ("GE", &["Asia/Tbilisi"]),
    ("GF", &["America/Cayenne"]),
    ("GG", &["Europe/Guernsey"]),
    ("GH", &["Africa/Accra"]),
    ("GI", &["Europe/Gibraltar"]),
    ("GM", &["Africa/Banjul"]),
    ("GN", &["Africa/Conakry"]),
    ("GP", &["America/Guadeloupe"]),
    ("GQ", &["Africa/Malabo"]),
    ("GR", &["Europe/Athens"]),
    ("GT", &["America/Guatemala"]),
    ("GU", &["Pacific/Guam"]),
    ("GW", &["Africa/Bissau"]),
    ("GY", &["America/Guyana"]),
    ("HK", &["Asia/Hong_Kong"]),
    ("HN", &["America/Tegucigalpa"]),
    ("HR", &["Europe/Zagreb"]),
    ("HT", &["America/Port-au-Prince"]),
    ("HU", &["Europe/Budapest"]),
    ("IE", &["Europe/Dublin"]),
    ("IL", &["Asia/Jerusalem"]),
    ("IM", &["Europe/Isle_of_Man"]),
    ("IN", &["Asia/Kolkata"]),
    ("IO", &["Indian/Chagos"]),
    ("IQ", &["Asia/Baghdad"]),
    ("IR", &["Asia/Tehran"]),
    ("IS", &["Atlantic/Reykjavik"]),
    ("IT", &["Europe/Rome"]),
    ("JE", &["Europe/Jersey"]),
    ("JM", &["America/Jamaica"]),
    ("JO", &["Asia/Amman"]),
    ("JP", &["Asia/Tokyo"]),
    ("KE", &["Africa/Nairobi"]),
    ("KG", &["Asia/Bishkek"]),
    ("KH", &["Asia/Phnom_Penh"]),
    ("KM", &["Indian/Comoro"]),
    ("KN", &["America/St_Kitts"]),
    ("KP", &["Asia/Pyongyang"]),
    ("KR", &["Asia/Seoul"]),
    ("KW", &["Asia/Kuwait"]),
    ("KY", &["America/Cayman"]),
    ("LA", &["Asia/Vientiane"]),
    ("LB", &["Asia/Beirut"]),
    ("LC", &["America/St_Lucia"]),
    ("LI", &["Europe/Vaduz"]),
    ("LK", &["Asia/Colombo"]),
    ("LR", &["Africa/Monrovia"]),
    ("LS", &["Africa/Maseru"]),
    ("LT", &["Europe/Vilnius"]),
    ("LU", &["Europe/Luxembourg"]),
    ("LV", &["Europe/Riga"]),
    ("LY", &["Africa/Tripoli"]),
    ("MA", &["Africa/Casablanca"]),
    ("MC", &["Europe/Monaco"]),
    ("MD", &["Europe/Chisinau"]),
    ("ME", &["Europe/Podgorica"]),
    ("MF", &["America/Marigot"]),
    ("MG", &["Indian/Antananarivo"]),
    ("MH", &["Pacific/Majuro"]),
    ("MK", &["Europe/Skopje"]),
    ("ML", &["Africa/Bamako"]),
    ("MM", &["Asia/Yangon"]),
    ("MO", &["Asia/Macau"]),
    ("MP", &["Pacific/Saipan"]),
    ("MQ", &["America/Martinique"]),
    ("MR", &["Africa/Nouakchott"]),
    ("MS", &["America/Montserrat"]),
    ("MT", &["Europe/Malta"]),
    ("MU", &["Indian/Mauritius"]),
    ("MV", &["Indian/Maldives"]),
    ("MW", &["Africa/Blantyre"]),
    ("MY", &["Asia/Kuala_Lumpur"]),
    ("MZ", &["Africa/Maputo"]),
    ("NA", &["Africa/Windhoek"]),
    ("NC", &["Pacific/Noumea"]),
    ("NE", &["Africa/Niamey"]),
    ("NF", &["Pacific/Norfolk"]),
    ("NG", &["Africa/Lagos"]),
    ("NI", &["America/Managua"]),
    ("NL", &["Europe/Amsterdam"]),
    ("NO", &["Europe/Oslo"]),
    ("NP", &["Asia/Kathmandu"]),
    ("NR", &["Pacific/Nauru"]),
    ("NU", &["Pacific/Niue"]),
    ("OM", &["Asia/Muscat"]),
    ("PA", &["America/Panama"]),
    ("PE", &["America/Lima"]),
    ("PH", &["Asia/Manila"]),
    ("PK", &["Asia/Karachi"]),
    ("PL", &["Europe/Warsaw"]),
    ("PM", &["America/Miquelon"]),
    ("PR", &["America/Puerto_Rico"]),
    ("PS", &["Asia/Gaza"]),
    ("PW", &["Pacific/Palau"]),
    ("PY", &["America/Asuncion"]),
    ("QA", &["Asia/Qatar"]),
    ("RE", &["Indian/Reunion"]),
    ("RO", &["Europe/Bucharest"]),
    ("RS", &["Europe/Belgrade"]),
    ("RW", &["Africa/Kigali"]),
    ("SA", &["Asia/Riyadh"]),
    ("SB", &["Pacific/Guadalcanal"]),
    ("SC", &["Indian/Mahe"]),
    ("SD", &["Africa/Khartoum"]),
    ("SE", &["Europe/Stockholm"]),
    ("SG", &["Asia/Singapore"]),
    ("SH", &["Atlantic/St_Helena"]),
    ("SI", &["Europe/Ljubljana"]),
    ("SJ", &["Arctic/Longyearbyen"]),
    ("SK", &["Europe/Bratislava"]),
    ("SL", &["Africa/Freetown"]),
    ("SM", &["Europe/San_Marino"]),
    ("SN", &["Africa/Dakar"]),
    ("SO", &["Africa/Mogadishu"]),
    ("SR", &["America/Paramaribo"]),
    ("SS", &["Africa/Juba"]),
    ("ST", &["Africa/Sao_Tome"]),
    ("SV", &["America/El_Salvador"]),
    ("SX", &["America/Lower_Princes"]),
    ("SY", &["Asia/Damascus"]),
    ("SZ", &["Africa/Mbabane"]),
    ("TC", &["America/Grand_Turk"]),
    ("TD", &["Africa/Ndjamena"]),
    ("TG", &["Africa/Lome"]),
    ("TH", &["Asia/Bangkok"]),
    ("TJ", &["Asia/Dushanbe"]),
    ("TK", &["Pacific/Fakaofo"]),
    ("TL", &["Asia/Dili"]),
    ("TM", &["Asia/Ashgabat"]),
    ("TN", &["Africa/Tunis"]),
    ("TO", &["Pacific/Tongatapu"]),
    ("TR", &["Europe/Istanbul"]),
    ("TT", &["America/Port_of_Spain"]),
    ("TV", &["Pacific/Funafuti"]),
    ("TW", &["Asia/Taipei"]),
    ("TZ", &["Africa/Dar_es_Salaam"]),
    ("UA", &["Europe/Kyiv"]),
    ("UG", &["Africa/Kampala"]),
    ("UY", &["America/Montevideo"]),
    ("UZ", &["Asia/Tashkent"]),
    ("VA", &["Europe/Vatican"]),
    ("VC", &["America/St_Vincent"]),
    ("VE", &["America/Caracas"]),
    ("VG", &["America/Tortola"]),
    ("VI", &["America/St_Thomas"]),
    ("VN", &["Asia/Ho_Chi_Minh"]),
    ("VU", &["Pacific/Efate"]),
    ("WF", &["Pacific/Wallis"]),
    ("WS", &["Pacific/Apia"]),
    ("XK", &["Europe/Belgrade"]),
    ("YE", &["Asia/Aden"]),
    ("YT", &["Indian/Mayotte"]),
    ("ZA", &["Africa/Johannesburg"]),
    ("ZM", &["Africa/Lusaka"]),
    ("ZW", &["Africa/Harare"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::number::{Home, normalise};

    /// 2026-07-15 04:10 UTC: summer in the north.
    const SUMMER: UnixMillis = UnixMillis(1_784_088_600_000);
    /// 2026-01-15 04:10 UTC.
    const WINTER: UnixMillis = UnixMillis(1_768_450_200_000);

    fn at(number: &str, wall: UnixMillis) -> String {
        let number = normalise(number, &Home { country: "US", area_code: None }).unwrap();
        local_time(&number, wall).map(|time| time.words()).unwrap_or_default()
    }

    #[test]
    fn i44_every_zone_is_known_and_no_area_stands_twice() {
        for (_, zones) in ZONES {
            for zone in *zones {
                assert!(zone.parse::<Tz>().is_ok(), "{zone}");
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        for (zones, areas) in AREAS {
            assert!(zones.iter().all(|zone| zone.parse::<Tz>().is_ok()), "{zones:?}");
            for area in *areas {
                assert!(seen.insert(area), "{area} stands twice");
            }
        }
    }

    #[test]
    fn i44_the_local_time_follows_area_code_country_and_summer_time() {
        for (number, summer, winter) in [
            ("+12025550177", "00:10", "23:10"),
            ("+13125550177", "23:10", "22:10"),
            ("+14155550177", "21:10", "20:10"),
            ("+16025550177", "21:10", "21:10"), // Phoenix keeps no summer time
            ("+18085550177", "18:10", "18:10"),
            ("+442079460958", "05:10", "04:10"),
            ("+81312345678", "13:10", "13:10"),
            ("+919876543210", "09:40", "09:40"),
            ("+61491570156", "12:10 to 14:10", "12:10 to 15:10"),
        ] {
            assert_eq!(at(number, SUMMER), summer, "{number} in summer");
            assert_eq!(at(number, WINTER), winter, "{number} in winter");
        }
        assert_eq!(at("+870773111632", SUMMER), "", "a satellite is nowhere");
    }
}
