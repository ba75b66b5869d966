//! Matching messages to transactions, RFC 3261 sections 17.1.3 and 17.2.3.

use crate::message::{Essential, Method};

/// What identifies a transaction on one side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionKey {
    /// The branch of the topmost Via; for requests of RFC 2543 peers a text made from the fields that
    /// section 17.2.3 names instead.
    pub branch: String,
    /// sent-by of the topmost Via.
    pub sent_by: String,
    /// The method; ACK counts as INVITE.
    pub method: Method,
}

impl TransactionKey {
    /// The key of a received request.
    pub fn of_request(essential: &Essential) -> Self {
        let method = Some(essential.cseq.method.clone()).filter(|method| *method != Method::Ack);
        Self::for_method(essential, method.unwrap_or(Method::Invite))
    }

    /// The key of the INVITE that a received CANCEL is about (section 9.2).
    pub fn of_cancelled(essential: &Essential) -> Self {
        Self::for_method(essential, Method::Invite)
    }

    /// The key of the client transaction a received response belongs to (section 17.1.3).
    pub fn of_response(essential: &Essential) -> Self {
        Self { branch: essential.via.branch(), sent_by: String::new(), method: essential.cseq.method.clone() }
    }

    fn for_method(essential: &Essential, method: Method) -> Self {
        let branch = essential.via.branch();
        // The cookie alone is no branch: such a peer does not know what it does (RFC 4475 section 3.2.1).
        let unique = branch.strip_prefix("z9hG4bK").is_some_and(|rest| !rest.is_empty());
        let branch = if unique {
            branch
        } else {
            let from = essential.from.tag().unwrap_or_default();
            format!("{} {} {from} {branch}", essential.call_id, essential.cseq.number)
        };
        Self { branch, sent_by: essential.via.sent_by().to_ascii_lowercase(), method }
    }
}
