//! The prompts: one list for the enumeration, the file names and the recordings.

/// A language the service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// The French of Canada.
    French,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::French];

    /// Its ISO 639 code, and the name of its folder.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// The language of an ISO 639 code or a tag that begins with one (`fr-CA`).
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let primary = code.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        Self::ALL.into_iter().find(|language| language.code() == primary)
    }

    /// The one of the two that this one is not.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::English => Self::French,
            Self::French => Self::English,
        }
    }
}

macro_rules! prompts {
    ($($id:ident $file:literal $words:literal,)+) => {
        /// Which prompt.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum PromptId {
            $(#[doc = $words] $id,)+
            /// Music for those who wait.
            HoldMusic,
            /// Somebody has come in.
            JoinChime,
            /// Somebody has left.
            LeaveChime,
        }

        impl PromptId {
            /// Every prompt, in the order of the variants.
            pub const ALL: [Self; [$($file,)+].len() + 3] =
                [$(Self::$id,)+ Self::HoldMusic, Self::JoinChime, Self::LeaveChime];

            /// Its name: that of the file that may replace it, without folder and ending.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$id => $file,)+
                    Self::HoldMusic => "hold_music",
                    Self::JoinChime => "join_chime",
                    Self::LeaveChime => "leave_chime",
                }
            }

            /// Our recording of it; `None` for what is made and not recorded.
            pub(crate) const fn file(self, language: Language) -> Option<&'static [u8]> {
                Some(match (language, self) {
                    $((Language::English, Self::$id) => {
                        include_bytes!(concat!("../../prompts/en/", $file, ".opus"))
                    })+
                    $((Language::French, Self::$id) => {
                        include_bytes!(concat!("../../prompts/fr/", $file, ".opus"))
                    })+
                    (_, Self::HoldMusic | Self::JoinChime | Self::LeaveChime) => return None,
                })
            }
        }
    };
}

prompts! {
    EnterMeeting "enter_meeting" "Please enter the meeting I D, then press pound.",
    ForThisLanguage "for_this_language" "For English, press star.",
    EnterPin "enter_pin" "Please enter your pin, then press pound.",
    NoSuchMeeting "no_such_meeting" "There is no meeting with that I D.",
    WrongPin "wrong_pin" "That pin is not right.",
    TooManyTries "too_many_tries" "There were too many wrong entries. Please try again later.",
    Joining "joining" "You are joining the meeting.",
    Invited "invited" "You are invited to a meeting.",
    ReturnedCall "returned_call" "You were called to join a meeting.",
    PressOneToJoin "press_one_to_join" "Press 1 to join.",
    PressNineNoCalls "press_nine_no_calls" "Press 9 if you do not want to be called again.",
    WillNotBeCalled "will_not_be_called" "You will not be called again.",
    HeardNothing "heard_nothing" "We did not hear from you.",
    Goodbye "goodbye" "Goodbye.",
    Muted "muted" "You are muted.",
    Unmuted "unmuted" "You are no longer muted.",
    MutedByHost "muted_by_host" "The host has muted you.",
    AskedToUnmute "asked_to_unmute" "The host asks you to speak. Press star 6.",
    OnlyHostUnmutes "only_host_unmutes" "Only the host can unmute you.",
    ListenOnly "listen_only" "You can only listen in this meeting.",
    HandRaised "hand_raised" "Your hand is raised.",
    HandLowered "hand_lowered" "Your hand is lowered.",
    YouAreNumber "you_are_number" "You are number",
    OnlyYou "only_you" "You are the only one in the meeting.",
    PeopleInMeeting "people_in_meeting" "people are in the meeting.",
    ACaller "a_caller" "a caller",
    AndOthers "and_others" "and others.",
    And "and" "and",
    WaitForHost "wait_for_host" "Please wait. The meeting begins when the host joins.",
    WaitInLobby "wait_in_lobby" "Please wait. The host will let you in.",
    MeetingIsLocked "meeting_is_locked" "The meeting is locked.",
    MeetingIsOpen "meeting_is_open" "The meeting is open.",
    MeetingIsFull "meeting_is_full" "The meeting is full.",
    NotInvited "not_invited" "You can not join this meeting.",
    Removed "removed" "You have been removed from the meeting.",
    MeetingEnded "meeting_ended" "The meeting has ended.",
    MeetingEndsSoon "meeting_ends_soon" "The meeting will end soon.",
    EverybodyMuted "everybody_muted" "Everybody is muted.",
    EverybodyIn "everybody_in" "Everybody who waited is in.",
    NobodyWaits "nobody_waits" "Nobody is waiting.",
    PressAgainToEnd "press_again_to_end" "Press star 9 again to end the meeting for everybody.",
    HostsOnly "hosts_only" "Only hosts can do that.",
    Help "help" "Press star 6 to mute or unmute yourself. Star 5 to raise or lower your hand. Star 0 to hear who is here.",
    HostHelp "host_help" "Star 2 to mute everybody. Star 3 to lock or open the meeting. Star 4 to let in those who wait. Star 9, twice, to end the meeting.",
    NoEmergencyCalls "no_emergency_calls" "Emergency calls can not be made from here. Please use another phone.",
    Zero "n0" "zero",
    One "n1" "one",
    Two "n2" "two",
    Three "n3" "three",
    Four "n4" "four",
    Five "n5" "five",
    Six "n6" "six",
    Seven "n7" "seven",
    Eight "n8" "eight",
    Nine "n9" "nine",
    Ten "n10" "ten",
    Eleven "n11" "eleven",
    Twelve "n12" "twelve",
    Thirteen "n13" "thirteen",
    Fourteen "n14" "fourteen",
    Fifteen "n15" "fifteen",
    Sixteen "n16" "sixteen",
    Seventeen "n17" "seventeen",
    Eighteen "n18" "eighteen",
    Nineteen "n19" "nineteen",
    Twenty "n20" "twenty",
    Thirty "n30" "thirty",
    Forty "n40" "forty",
    Fifty "n50" "fifty",
    Sixty "n60" "sixty",
    Seventy "n70" "seventy",
    Eighty "n80" "eighty",
    Ninety "n90" "ninety",
    Hundred "n100" "hundred",
}

impl PromptId {
    /// The prompt of a name, as [`Self::name`] gives it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|prompt| prompt.name() == name)
    }
}
