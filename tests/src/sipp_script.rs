//! SIPp scenarios out of callee scripts: what the lab's carrier plays, SIPp plays, too, in one process for all numbers.

use std::fmt::Write;

use crate::error::{LabError, LabResult};
use crate::g711::Codec;
use crate::script::CalleeScript;
use crate::sip::steps::{Answer, Step};

/// One scenario for all callees. It begins with an INVITE from `@CALLER@`, and goes on by the number that is called.
///
/// # Errors
/// When a callee does something that needs the lab's own carrier: keys, tones, requests of its own.
pub fn scenario(callees: &[CalleeScript]) -> LabResult<String> {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"callees\">\n");
    text += &receive_invite(&numbers(callees));
    for at in 0..callees.len() {
        let _ = writeln!(text, "  <nop test=\"is{at}\" next=\"{}\"/>", at + 1);
    }
    text += &refuse("404 Not Found", "");
    text += "  <nop next=\"0\"/>\n";
    for (at, callee) in callees.iter().enumerate() {
        let _ = writeln!(text, "  <label id=\"{}\"/>\n  <!-- {} -->", at + 1, callee.number);
        text += &Branch::default().steps(callee)?;
        text += "  <nop next=\"0\"/>\n";
    }
    let variables: String = (0..callees.len()).map(|at| format!(",is{at}")).collect();
    let _ = write!(
        text,
        "  <label id=\"0\"/>\n  <nop/>\n  <Reference variables=\"from,asserted,cseq,via,to{variables}\"/>\n</scenario>\n"
    );
    Ok(text)
}

fn numbers(callees: &[CalleeScript]) -> String {
    let number = |(at, callee): (usize, &CalleeScript)| {
        format!(
            "      <ereg regexp=\"^INVITE sip:{}@\" search_in=\"msg\" check_it=\"false\" assign_to=\"is{at}\"/>\n",
            callee.number.replace('+', "[+]")
        )
    };
    callees.iter().enumerate().map(number).collect()
}

/// An INVITE with the caller in From and in P-Asserted-Identity.
fn receive_invite(more: &str) -> String {
    let caller = |header: &str, variable: &str| {
        format!(
            "      <ereg regexp=\"sip:[+]@CALLER@@\" search_in=\"hdr\" header=\"{header}:\" check_it=\"true\" \
             assign_to=\"{variable}\"/>\n"
        )
    };
    format!(
        "  <recv request=\"INVITE\" crlf=\"true\">\n    <action>\n{}{}      <ereg regexp=\"[0-9]+\" search_in=\"hdr\" \
         header=\"CSeq:\" check_it=\"true\" assign_to=\"cseq\"/>\n      <ereg regexp=\".*\" search_in=\"hdr\" header=\"Via:\" \
         check_it=\"true\" assign_to=\"via\"/>\n      <ereg regexp=\".*\" search_in=\"hdr\" header=\"To:\" \
         check_it=\"true\" assign_to=\"to\"/>\n{more}    </action>\n  </recv>\n",
        caller("From", "from"),
        caller("P-Asserted-Identity", "asserted")
    )
}

/// Sends an answer to what came last, or, after a CANCEL, to the INVITE before it.
fn send(status: &str, repeated: bool, cseq: Option<&str>, extra: &str, body: &str) -> String {
    let retrans = if repeated { " retrans=\"500\"" } else { "" };
    let cseq = cseq.map_or_else(|| "[last_CSeq:]".to_owned(), |method| format!("CSeq: [$cseq] {method}"));
    let length = if body.is_empty() { "0" } else { "[len]" };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    format!(
        "  <send{retrans}>\n<![CDATA[\nSIP/2.0 {status}\n[last_Via:]\n[last_From:]\n[last_To:];tag=[call_number]\n[last_Call-ID:]\n\
         {cseq}\nContact: <sip:[local_ip]:[local_port];transport=[transport]>\n{extra}{kind}Content-Length: {length}\n\n{body}\n]]>\n  \
         </send>\n"
    )
}

fn receive(method: &str) -> String {
    format!("  <recv request=\"{method}\" timeout=\"40000\"/>\n")
}

fn refuse(status: &str, extra: &str) -> String {
    send(status, true, None, extra, "") + &receive("ACK")
}

/// A request inside the dialog has its tag already.
fn confirm() -> String {
    send("200 OK", false, None, "", "").replace("[last_To:];tag=[call_number]", "[last_To:]")
}

fn description(answer: &Answer) -> String {
    let codec = answer.codec.unwrap_or(Codec::Pcmu);
    let address = answer.address.map_or_else(|| "[media_ip]".to_owned(), |address| address.to_string());
    let (kind, name) = (codec.payload_type(), codec.name());
    let direction = answer.direction.attribute();
    format!(
        "v=0\no=sipp 1 1 IN IP4 {address}\ns=-\nc=IN IP4 {address}\nt=0 0\nm=audio [media_port] RTP/AVP {kind} 101\n\
         a=rtpmap:{kind} {name}/8000\na=rtpmap:101 telephone-event/8000\na={direction}\n"
    )
}

/// One callee's part of the scenario.
#[derive(Default)]
struct Branch {
    text: String,
    crosses_cancel: bool,
    over: bool,
    answered: bool,
}

impl Branch {
    fn steps(mut self, callee: &CalleeScript) -> LabResult<String> {
        for (at, step) in callee.steps.iter().enumerate() {
            let last = at + 1 == callee.steps.len();
            self.step(step, last).map_err(LabError::other(&callee.number))?;
        }
        match (self.over, self.answered) {
            (true, _) => {}
            (false, true) => self.text += &(receive("BYE") + &confirm()),
            (false, false) => self.cancelled(),
        }
        Ok(self.text)
    }

    fn cancelled(&mut self) {
        self.text += &(receive("CANCEL") + &send("200 OK", false, None, "", ""));
        if self.crosses_cancel {
            let body = description(&Answer::default());
            self.text += &send("200 OK", true, Some("INVITE"), "", &body);
            self.text += &(receive("ACK") + &receive("BYE") + &confirm());
        } else {
            // The CANCEL has the INVITE's Via, From, To and Call-ID; only the method of CSeq differs.
            self.text += &send("487 Request Terminated", true, Some("INVITE"), "", "");
            self.text += &receive("ACK");
        }
    }

    fn step(&mut self, step: &Step, last: bool) -> Result<(), &'static str> {
        match step {
            Step::Silence | Step::Say(_) => {}
            Step::Provisional(status) => {
                self.text += &send(&format!("{status} Ringing"), false, None, "", "");
            }
            Step::Early | Step::Progress(_) => {
                let body = description(&Answer::default());
                self.text += &send("183 Session Progress", false, None, "", &body);
            }
            Step::Wait(time) => {
                let _ = writeln!(self.text, "  <pause milliseconds=\"{}\"/>", time.as_millis());
            }
            Step::Challenge { stale } => self.challenge(*stale, last),
            Step::Refuse(status, retry_after) => {
                let extra = retry_after.map(|after| format!("Retry-After: {after}\n")).unwrap_or_default();
                self.text += &refuse(&format!("{status} Refused"), &extra);
                self.over = true;
            }
            Step::Redirect(number) => {
                let extra = format!("Contact: <sip:{number}@[local_ip]:[local_port]>\n");
                let own = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>\n";
                self.text += &refuse("302 Moved Temporarily", &extra).replace(own, "");
                self.over = true;
            }
            Step::CrossCancel => self.crosses_cancel = true,
            Step::Answer(answer) => self.answer(answer),
            Step::Press(..) | Step::Direction(_) | Step::Glare | Step::HangUp | Step::Die => {
                return Err("SIPp plays no requests, keys and deaths of a callee: use the lab's carrier");
            }
        }
        Ok(())
    }

    fn challenge(&mut self, stale: bool, last: bool) {
        let words = if stale { ", stale=true" } else { "" };
        let extra = format!(
            "Proxy-Authenticate: Digest realm=\"carrier.test\", nonce=\"n[call_number]\", algorithm=MD5, qop=\"auth\"{words}\n"
        );
        self.text += &refuse("407 Proxy Authentication Required", &extra);
        self.over = last;
        if !last {
            let proof = "      <ereg regexp=\"Digest.*response=\" search_in=\"hdr\" header=\"Proxy-Authorization:\" \
                         check_it=\"true\" assign_to=\"from\"/>\n";
            self.text += &receive_invite(proof);
        }
    }

    fn answer(&mut self, answer: &Answer) {
        let body = if answer.bare { String::new() } else { description(answer) };
        self.text += &send("200 OK", true, None, "", &body);
        self.text += &receive("ACK");
        if answer.twice {
            // The ACK came last; the second answer belongs to the INVITE.
            let again = send("200 OK", true, Some("INVITE"), "", &body);
            let again = again.replace("[last_Via:]", "Via: [$via]");
            self.text += &again.replace("[last_To:];tag=", "To: [$to];tag=fork");
            self.text += &(receive("ACK") + &receive("BYE") + &confirm());
        }
        self.answered = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;

    #[test]
    fn what_sipp_cannot_play_is_told_by_number() {
        let callees = script::parse("callee 1\nring\ncallee 2\nanswer\npress 1").unwrap();
        let told = scenario(&callees).unwrap_err().to_string();
        assert!(told.starts_with("2: SIPp plays no requests"), "{told}");
        assert!(scenario(&callees[..1]).unwrap().contains("regexp=\"^INVITE sip:1@\""));
    }
}
