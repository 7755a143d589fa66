//! What each answer of the portal leads to.

use super::*;

impl Cbrain {
    pub(super) fn judge(&self, cx: &mut Cx<'_>, step: CbrainStep, response: Response<'_>) -> Judged {
        use CbrainStep::{Check, Login, Logout};
        let text = explain(cx, response);
        match (response.status.as_u16(), response.is_json(), step) {
            (200, _, Login) => self.logged_in(cx, response),
            (200, _, Check) => self.checked(cx, response),
            // The body of a logout is empty. A second logout gets 401: the first arrived, or the session had ended.
            (200 | 401, true, Logout) => Verdict::Close(CloseReason::LoggedOut { confirmed: true }),
            // Wrong password, unknown login, locked account, or an address outside the user's list.
            (401, true, Login) => Ask::new(NeedKind::Credentials, NeedReason::Refused).then(Login).into(),
            // A banned address gets 401 as HTML, which says nothing about the session.
            (401, true, Check) => Verdict::Dead { proof: "check answered 401" },
            // Rails cannot parse the login; the same login would fail again.
            (400, true, Login) => Verdict::Close(CloseReason::Denied(Denial::Rejected(text))),
            // 503 is maintenance: the portal answers it before it processes anything.
            (503 | 429, ..) => Verdict::unavailable(),
            // Rails failed. Behind a proxy's error page, the password may have been refused.
            (500, true, _) => Verdict::Retry { after: None, answer: Judgment::Failed },
            (500..=599, ..) => Verdict::Retry { after: None, answer: Judgment::Judged },
            (300..=399, ..) => Verdict::Unreadable("a redirect: from a proxy, or the portal took this for a browser"),
            _ => Verdict::Unreadable("not an answer of /session"),
        }
    }
}
