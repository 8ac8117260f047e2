namespace Payments.Domain.Providers.Credentials;

internal static class ProviderCredentialSql
{
    public const string Find = "SELECT sealed FROM payments.provider_credentials WHERE merchant_id = $1 AND provider = $2";

    public const string Get = "SELECT shown::text, created_at, updated_at FROM payments.provider_credentials WHERE merchant_id = $1 AND provider = $2";

    /// <summary>The foreign key fails if the merchant does not exist.</summary>
    public const string Put =
        """
        INSERT INTO payments.provider_credentials (bucket, merchant_id, provider, sealed, shown, created_at, updated_at)
        VALUES (payments.bucket_of($1), $1, $2, $3, $4::jsonb, $5, $5)
        ON CONFLICT (merchant_id, provider, bucket) DO UPDATE SET sealed = excluded.sealed, shown = excluded.shown,
            updated_at = excluded.updated_at
        RETURNING created_at
        """;

    public const string Delete = "DELETE FROM payments.provider_credentials WHERE merchant_id = $1 AND provider = $2";

    public const string Page =
        """
        SELECT merchant_id, provider, sealed FROM payments.provider_credentials
        WHERE (merchant_id, provider) > ($1, $2)
        ORDER BY merchant_id, provider
        LIMIT 500
        """;

    /// <summary>
    /// Replaces only the credentials that were read. If they changed since then, they are already sealed with the active key.
    /// </summary>
    public const string Reseal = "UPDATE payments.provider_credentials SET sealed = $4 WHERE merchant_id = $1 AND provider = $2 AND sealed = $3";
}
