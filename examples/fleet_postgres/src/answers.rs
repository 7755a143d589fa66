//! Answers to questions: written by whoever gets them, read by whoever drives the session.

use anyhow::{Context, Result};
use sansession::{Credentials, Input, Need, NeedId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::seal::{Belongs, KeyRing};
use crate::store::Answer;

/// Login and password, as they are sealed.
#[derive(Serialize, Deserialize)]
struct Text<'a> {
    login: &'a str,
    password: &'a str,
}

/// Seals login and password as the answer to an account's question.
pub fn seal(ring: &KeyRing, key_id: i32, account: i64, question: &str, login: &str, password: &str) -> Result<Answer> {
    let text = Zeroizing::new(serde_json::to_string(&Text { login, password })?);
    let sealed = ring.seal(key_id, Belongs::Answer { account }, &text)?;
    Ok(Answer { account, question: question.into(), sealed })
}

/// Opens an answer, and tells to which need it is.
pub fn read(ring: &KeyRing, answer: &Answer) -> Result<(NeedId, Input)> {
    let need: Need = serde_json::from_str(&answer.question).context("the question cannot be read")?;
    let text = ring.open(Belongs::Answer { account: answer.account }, &answer.sealed)?;
    // The texts of serde_json's errors quote what they found.
    let text: Text<'_> = serde_json::from_str(&text).ok().context("the answer cannot be read")?;
    let credentials = Credentials::new(text.login, text.password).ok().context("login or password is empty")?;
    Ok((need.id, Input::Credentials(credentials)))
}
