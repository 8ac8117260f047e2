-- Where it is set, deliveries are signed with Ed25519 and secret holds the private key. A public key is no secret: it is shown again and again.
ALTER TABLE payments.webhook_endpoints ADD COLUMN public_key text;
