//! What is measured.

use std::str::FromStr;

/// How the phones and the engine speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No engine: every packet goes back as it came, with the same system calls. The limit of the machine.
    Bare,
    /// G.711 mu-law.
    Pcmu,
    /// Opus at 48 kHz, mono, in its MDCT mode.
    Opus,
    /// Opus in its voice modes.
    Voice,
    /// G.722.
    G722,
}

impl Kind {
    const NAMES: [(Self, &str); 5] = [
        (Self::Bare, "bare"),
        (Self::Pcmu, "pcmu"),
        (Self::Opus, "opus"),
        (Self::Voice, "opusvoice"),
        (Self::G722, "g722"),
    ];
}

/// So many rooms of so many phones, of which the first so many talk: `pcmu:100x3/3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) kind: Kind,
    pub(crate) rooms: usize,
    pub(crate) legs: usize,
    pub(crate) talkers: usize,
}

impl Scenario {
    pub(crate) const fn phones(&self) -> usize {
        self.rooms * self.legs
    }
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = Kind::NAMES.iter().find(|(kind, _)| *kind == self.kind);
        let kind = name.map_or("", |(_, name)| name);
        write!(f, "{kind}:{}x{}/{}", self.rooms, self.legs, self.talkers)
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (kind, rest) = text.split_once(':')?;
            let (rooms, rest) = rest.split_once('x')?;
            let (legs, talkers) = rest.split_once('/')?;
            let (kind, _) = *Kind::NAMES.iter().find(|(_, name)| *name == kind)?;
            Some(Self {
                kind,
                rooms: rooms.parse().ok()?,
                legs: legs.parse().ok()?,
                talkers: talkers.parse().ok()?,
            })
        };
        read().ok_or_else(|| format!("{text} is no scenario: write it like pcmu:100x3/3"))
    }
}

/// The scenarios of the published table.
pub(crate) fn standard() -> Vec<Scenario> {
    let shapes = [
        (Kind::Bare, 833, 3, 3),
        (Kind::Pcmu, 1, 2, 2),
        (Kind::Pcmu, 100, 3, 3),
        (Kind::Pcmu, 333, 3, 3),
        (Kind::Pcmu, 583, 3, 3),
        (Kind::Pcmu, 833, 3, 3),
        (Kind::Pcmu, 1, 300, 3),
        (Kind::G722, 50, 3, 3),
        (Kind::Opus, 50, 3, 3),
        (Kind::Voice, 20, 3, 3),
        (Kind::Opus, 1, 100, 3),
        (Kind::Opus, 1, 500, 3),
    ];
    let scenario = |(kind, rooms, legs, talkers)| Scenario { kind, rooms, legs, talkers };
    shapes.into_iter().map(scenario).collect()
}
