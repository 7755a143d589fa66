//! The three steps to a live session token.

use super::numbers::BITS;
use super::*;

impl OAuthServer {
    pub(super) fn request_token(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Result<Reply, Refused> {
        let fields = self.rsa_signed(now, request, "")?;
        if field(&fields, "oauth_callback")? != "oob" {
            return Err(Refused::Other("callback must be oob"));
        }
        let token = self.random.token(20);
        let consumer = field(&fields, "oauth_consumer_key")?.to_owned();
        self.requests.insert(token.clone(), Pending { consumer, verifier: None });
        Ok(oauth_text::json(now, 200, &json!({ "oauth_token": token })))
    }

    pub(super) fn access_token(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Result<Reply, Refused> {
        let fields = self.rsa_signed(now, request, "")?;
        let (token, verifier) = (field(&fields, "oauth_token")?, field(&fields, "oauth_verifier")?);
        let consumer = field(&fields, "oauth_consumer_key")?;
        let right = self
            .requests
            .get(token)
            .is_some_and(|pending| pending.consumer == consumer && pending.verifier.as_deref() == Some(verifier));
        if !right {
            return Err(Refused::Other("verifier refused"));
        }
        self.requests.remove(token);
        let issued = self.grant(consumer).ok_or(Refused::UnknownConsumer)?;
        let body = json!({
            "is_paper": true,
            "oauth_token": issued.access_token,
            "oauth_token_secret": issued.encrypted_secret,
        });
        Ok(oauth_text::json(now, 200, &body))
    }

    pub(super) fn live_session_token(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Result<Reply, Refused> {
        let token = parameters(request).and_then(|mut fields| fields.remove("oauth_token")).unwrap_or_default();
        let secret = self.grants.get(&token).map(|granted| granted.secret);
        let prefix = secret.map(|secret| hex(&secret)).unwrap_or_default();
        let fields = self.rsa_signed(now, request, &prefix)?;
        let key = field(&fields, "oauth_consumer_key")?;
        let secret = secret.ok_or_else(|| Refused::NoSecret(token.clone()))?;
        let consumer = self.consumers.get(key).ok_or(Refused::UnknownConsumer)?;

        let challenge = number(field(&fields, "diffie_hellman_challenge")?);
        let modulus = consumer.prime.modulus().as_ref();
        let above = BoxedUint::one_with_precision(BITS);
        let challenge = challenge.filter(|challenge| *challenge > above && *challenge < modulus.wrapping_sub(&above));
        let challenge = challenge.ok_or(Refused::Other("diffie_hellman_challenge out of range"))?;
        let exponent = BoxedUint::from_be_slice_truncated(&self.random.block(), 256);
        let power = |base: BoxedUint| BoxedMontyForm::new(base, &consumer.prime).pow(&exponent).retrieve();
        let response = digits(&power(consumer.generator.clone()).to_be_bytes());
        let shared = power(challenge).to_be_bytes();
        // Java's `toByteArray`: no leading zero bytes, but one where the first bit is set.
        let shared: Vec<u8> = shared.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = shared.first().is_none_or(|first| *first >= 0x80);
        let shared = if sign { [vec![0], shared].concat() } else { shared };

        let made = sha1(&shared, &secret);
        let mut proof = sha1(&made, key.as_bytes());
        if self.lies {
            proof.reverse();
        }
        let ends = now + self.life;
        if let Some(granted) = self.grants.get_mut(&token) {
            granted.tokens.push((made, ends));
        }
        let stamp = if self.stamps_creation { now } else { ends };
        let body = json!({
            "diffie_hellman_response": response,
            "live_session_token_signature": hex(&proof),
            "live_session_token_expiration": stamp.as_millis(),
        });
        Ok(oauth_text::json(now, 200, &body))
    }

    /// Checks an RSA signature; `prefix` stands before the text.
    pub(super) fn rsa_signed(
        &mut self,
        now: Timestamp,
        request: &Request<Vec<u8>>,
        prefix: &str,
    ) -> Result<BTreeMap<String, String>, Refused> {
        let fields = self.fields(now, request, "RSA-SHA256")?;
        let token = fields.get("oauth_token").filter(|_| request.uri().path().ends_with("/live_session_token"));
        if let Some(token) = token.filter(|token| !self.grants.contains_key(*token)) {
            return Err(Refused::NoSecret(token.to_owned()));
        }
        let consumer = self.consumers.get(field(&fields, "oauth_consumer_key")?);
        let consumer = consumer.ok_or(Refused::UnknownConsumer)?;
        let signature = BASE64_STANDARD.decode(field(&fields, "oauth_signature")?).unwrap_or_default();
        let signs = |text: &String| {
            let digest = Sha256::digest(text);
            consumer.signature.verify(Pkcs1v15Sign::new::<Sha256>(), &digest, &signature).is_ok()
        };
        if !base_strings(prefix, request, &fields).iter().any(signs) {
            return Err(Refused::Other("signature refused"));
        }
        self.spend_nonce(now, &fields)?;
        Ok(fields)
    }
}
