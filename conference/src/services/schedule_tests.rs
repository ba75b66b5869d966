use super::*;

fn when(start: &str, zone: &str, rrule: Option<&str>) -> When {
    When {
        start: Some(start.to_owned()),
        duration_minutes: Some(30),
        time_zone: Some(zone.to_owned()),
        rrule: rrule.map(str::to_owned),
    }
}

fn starts(schedule: &Schedule, limit: u16) -> Vec<String> {
    let spans = schedule.occurrences(UnixMillis(0), limit);
    spans.iter().map(|span| span.start.format("%Y-%m-%dT%H:%M %z").to_string()).collect()
}

#[test]
fn i05_a_weekly_nine_oclock_stays_nine_oclock_across_both_changes() {
    let spring = when("2026-02-23T09:00:00", "America/Chicago", Some("FREQ=WEEKLY;COUNT=4"));
    let spring = Schedule::read(&spring, "UTC").unwrap();
    assert_eq!(
        starts(&spring, 10),
        [
            "2026-02-23T09:00 -0600",
            "2026-03-02T09:00 -0600",
            "2026-03-09T09:00 -0500",
            "2026-03-16T09:00 -0500"
        ]
    );
    let autumn = when("2026-10-26T09:00:00", "America/Chicago", Some("FREQ=WEEKLY;COUNT=2"));
    let autumn = Schedule::read(&autumn, "UTC").unwrap();
    assert_eq!(starts(&autumn, 10), ["2026-10-26T09:00 -0500", "2026-11-02T09:00 -0600"]);
    let south = when("2026-09-28T09:00:00", "Australia/Sydney", Some("FREQ=WEEKLY;COUNT=2"));
    let south = Schedule::read(&south, "UTC").unwrap();
    assert_eq!(starts(&south, 10), ["2026-09-28T09:00 +1000", "2026-10-05T09:00 +1100"]);
}

#[test]
fn i05_times_the_clocks_jump_over_or_show_twice_are_one_moment() {
    let jumped = Schedule::read(&when("2026-03-08T02:30", "America/Chicago", None), "UTC").unwrap();
    assert_eq!(starts(&jumped, 2), ["2026-03-08T03:30 -0500"]);
    let twice = Schedule::read(&when("2026-11-01T01:30", "America/Chicago", None), "UTC").unwrap();
    assert_eq!(starts(&twice, 2), ["2026-11-01T01:30 -0500"]);
    let daily = when("2026-03-07T02:30", "America/Chicago", Some("FREQ=DAILY;COUNT=3"));
    let daily = starts(&Schedule::read(&daily, "UTC").unwrap(), 9);
    assert_eq!(
        (daily[0].as_str(), daily.last().unwrap().as_str()),
        ("2026-03-07T02:30 -0600", "2026-03-09T02:30 -0500")
    );
}

#[test]
fn i04_the_plan_survives_the_database_and_knows_its_last_end() {
    for (rrule, last) in [
        (Some("RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4"), Some("2026-03-11T09:30")),
        (Some("FREQ=DAILY;UNTIL=20260305T235959Z"), Some("2026-03-05T09:30")),
        (Some("freq=monthly;byday=1mo"), None),
        (None, Some("2026-03-02T09:30")),
    ] {
        let schedule = Schedule::read(&when("2026-03-02T09:00:00", "Europe/Berlin", rrule), "UTC").unwrap();
        let columns = schedule.columns();
        let again = Schedule::of(&columns).unwrap();
        assert_eq!(again.columns(), columns);
        assert_eq!(starts(&again, 6), starts(&schedule, 6));
        let zone: Tz = "Europe/Berlin".parse().unwrap();
        let end = columns.last_end.map(|end| {
            let end = i64::try_from(end.0).unwrap();
            zone.timestamp_millis_opt(end).unwrap().format("%Y-%m-%dT%H:%M").to_string()
        });
        assert_eq!(end.as_deref(), last, "{rrule:?}");
    }
    assert!(Schedule::of(&PlanColumns::default()).is_none());
}

#[test]
fn i04_runs_that_are_over_are_left_out_and_one_that_runs_is_not() {
    let weekly = when("2026-03-02T09:00:00Z", "UTC", Some("FREQ=WEEKLY"));
    let weekly = Schedule::read(&weekly, "UTC").unwrap();
    let during = UnixMillis(millis(weekly.start()).0 + 10 * 60_000);
    let spans = weekly.occurrences(during, 2);
    assert_eq!(spans[0].start, weekly.start());
    let after = UnixMillis(millis(weekly.start()).0 + 31 * 60_000);
    assert_eq!(weekly.occurrences(after, 2)[0].start, weekly.start() + Duration::weeks(1));
    assert_eq!(weekly.occurrences(UnixMillis(0), 1000).len(), 1000, "the limit bounds an endless rule");
}

#[test]
fn a_start_with_an_offset_is_shown_in_the_meetings_zone() {
    let schedule = Schedule::read(&when("2026-03-02T15:00:00Z", "America/Chicago", None), "UTC").unwrap();
    assert_eq!(clock(schedule.start()), "2026-03-02T09:00:00");
    assert_eq!(schedule.words(), "Monday, 2 March 2026, 09:00 to 09:30 (America/Chicago)");
    let night = When {
        duration_minutes: Some(120),
        ..when("2026-03-02T23:00", "UTC", Some("FREQ=WEEKLY;INTERVAL=2;COUNT=3"))
    };
    let words = Schedule::read(&night, "UTC").unwrap().words();
    assert_eq!(words, "Monday, 2 March 2026, 23:00 to 3 March 2026, 01:00 (UTC), every 2 weeks, 3 times");
}

#[test]
fn wrong_plans_name_their_field() {
    let good = || when("2026-03-02T09:00:00", "UTC", None);
    let rule = |rule: &str| When { rrule: Some(rule.to_owned()), ..good() };
    for (plan, field) in [
        (When { start: None, ..good() }, "start"),
        (When { start: Some("tomorrow".into()), ..good() }, "start"),
        (When { start: Some("2026-13-02T09:00:00".into()), ..good() }, "start"),
        (When { start: Some("1926-03-02T09:00:00".into()), ..good() }, "start"),
        (When { start: Some("+999999-03-02T09:00:00Z".into()), ..good() }, "start"),
        (When { time_zone: Some("Mars/Olympus".into()), ..good() }, "time_zone"),
        (When { duration_minutes: Some(0), ..good() }, "duration_minutes"),
        (When { duration_minutes: Some(1441), ..good() }, "duration_minutes"),
        (rule("every week"), "rrule"),
        (rule("FREQ=SECONDLY"), "rrule"),
        (rule("FREQ=HOURLY;COUNT=2"), "rrule"),
        (rule("FREQ=WEEKLY;COUNT=1001"), "rrule"),
        (rule("FREQ=WEEKLY\nEXDATE:20260309T090000Z"), "rrule"),
        (rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "rrule"),
        (rule("FREQ=DAILY;UNTIL=20200101T000000Z"), "rrule"),
        (rule(&"A".repeat(300)), "rrule"),
    ] {
        let error = Schedule::read(&plan, "UTC").unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field), "{plan:?}");
        assert!(!error.mend.is_empty());
    }
}
