use super::*;

fn keys(ivr: &mut Ivr, keys: &str) -> Vec<Action> {
    keys.chars().flat_map(|key| ivr.handle(Input::Key(key))).collect()
}

fn said(actions: &[Action]) -> Vec<&'static str> {
    let prompts = actions.iter().filter_map(|action| match action {
        Action::Say(utterance) => Some(utterance),
        _ => None,
    });
    prompts
        .flat_map(|utterance| &utterance.parts)
        .map(|part| match part {
            Part::Prompt(prompt) | Part::PromptIn(_, prompt) => prompt.name(),
            Part::Text(_) | Part::Pause(_) => "?",
        })
        .collect()
}

fn started() -> Ivr {
    let mut ivr = Ivr::new(Language::English);
    assert_eq!(said(&ivr.handle(Input::Start)), ["enter_meeting", "for_this_language"]);
    ivr
}

#[test]
fn i12_id_and_pin_lead_in() {
    let mut ivr = started();
    let actions = keys(&mut ivr, "900000001#");
    assert!(actions.contains(&Action::Hush), "a key ends what is being said");
    assert!(actions.contains(&Action::Meeting("900000001".into())));
    assert_eq!(said(&ivr.handle(Input::Verdict(Verdict::PinWanted))), ["enter_pin"]);
    assert!(keys(&mut ivr, "4826#").contains(&Action::Pin("4826".into())));
    let over = ivr.handle(Input::Verdict(Verdict::In));
    assert!(over.contains(&Action::Disarm(IvrTimer::Whole)));
    assert_eq!(keys(&mut ivr, "1"), [], "the conversation is over");
}

#[test]
fn i12_three_wrong_pins_and_goodbye() {
    let mut ivr = Ivr::for_pin(Language::English);
    ivr.handle(Input::Start);
    for _ in 0..2 {
        keys(&mut ivr, "0000#");
        assert_eq!(said(&ivr.handle(Input::Verdict(Verdict::Wrong))), ["wrong_pin", "enter_pin"]);
    }
    keys(&mut ivr, "0000#");
    let last = ivr.handle(Input::Verdict(Verdict::Wrong));
    assert_eq!(said(&last), ["wrong_pin", "goodbye"]);
    assert!(keys(&mut ivr, "4826#").is_empty(), "too late");
    assert!(ivr.handle(Input::Spoken).contains(&Action::HangUp));
}

#[test]
fn i12_wrong_ids_count_apart_from_wrong_pins() {
    let mut ivr = started();
    for _ in 0..2 {
        keys(&mut ivr, "1#");
        let again = ivr.handle(Input::Verdict(Verdict::Wrong));
        assert_eq!(said(&again), ["no_such_meeting", "enter_meeting", "for_this_language"]);
    }
    keys(&mut ivr, "2#");
    ivr.handle(Input::Verdict(Verdict::PinWanted));
    keys(&mut ivr, "2#");
    assert_eq!(said(&ivr.handle(Input::Verdict(Verdict::Wrong))), ["wrong_pin", "enter_pin"]);
}

#[test]
fn i12_slow_keys_are_allowed_and_a_long_pause_counts_as_finished() {
    let mut ivr = started();
    let first = keys(&mut ivr, "9");
    assert!(first.contains(&Action::Arm(IvrTimer::Digits, BETWEEN_KEYS)));
    keys(&mut ivr, "00000001");
    let done = ivr.handle(Input::Timer(IvrTimer::Digits));
    assert!(done.contains(&Action::Meeting("900000001".into())));
    assert!(keys(&mut ivr, "77").is_empty(), "keys while the id is looked for are nothing");
}

#[test]
fn i12_silence_is_asked_again_and_then_goodbye() {
    let mut ivr = started();
    for _ in 0..2 {
        assert_eq!(ivr.handle(Input::Spoken), [Action::Arm(IvrTimer::Silence, BEFORE_KEYS)]);
        assert_eq!(said(&ivr.handle(Input::Timer(IvrTimer::Silence))).first(), Some(&"enter_meeting"));
    }
    assert_eq!(said(&ivr.handle(Input::Timer(IvrTimer::Silence))), ["heard_nothing", "goodbye"]);
    assert!(ivr.handle(Input::Timer(IvrTimer::LastWords)).contains(&Action::HangUp));
}

#[test]
fn a_star_corrects_and_before_the_first_key_changes_the_language() {
    let mut ivr = started();
    keys(&mut ivr, "*");
    assert_eq!(ivr.language(), Language::French);
    keys(&mut ivr, "123*");
    assert_eq!(ivr.language(), Language::French, "a correction");
    assert!(keys(&mut ivr, "9#").contains(&Action::Meeting("9".into())));
}

#[test]
fn a_conversation_ends_and_a_refusal_says_why() {
    let mut ivr = started();
    assert_eq!(said(&ivr.handle(Input::Timer(IvrTimer::Whole))), ["heard_nothing", "goodbye"]);
    let mut ivr = started();
    keys(&mut ivr, "9#");
    let words = ivr.handle(Input::Verdict(Verdict::Refused(PromptId::MeetingIsLocked)));
    assert_eq!(said(&words), ["meeting_is_locked", "goodbye"]);
}

#[test]
fn keys_without_end_fill_nothing() {
    let mut ivr = started();
    keys(&mut ivr, &"7".repeat(10_000));
    let done = keys(&mut ivr, "#");
    assert!(done.contains(&Action::Meeting("7".repeat(KEYS))));
}
