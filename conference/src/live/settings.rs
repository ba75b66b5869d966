//! What the Hosts of a meeting may set (I06), kept as JSON in its row: every field has a default.

use serde::{Deserialize, Serialize};

/// The settings of one meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MeetingSettings {}
