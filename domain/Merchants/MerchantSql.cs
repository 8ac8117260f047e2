using Payments.Domain.Pricing;

namespace Payments.Domain.Merchants;

internal static class MerchantSql
{
    public const string Insert =
        """
        INSERT INTO payments.merchants (bucket, id, name, country, status, fee_plan, payout_delay_days, metadata, created_at, updated_at)
        SELECT payments.bucket_of(a.id), a.id, @name, @country, @status, @feePlan::jsonb, @payoutDelayDays, @metadata::jsonb, @now, @now
        FROM unnest(@accounts) AS a (id)
        """;

    public const string Get =
        $"""
        SELECT m.id, m.name, m.country, m.status, m.fee_plan::text, m.payout_delay_days, m.metadata::text, m.created_at, m.updated_at,
            {PricingSql.LaterVersions} AS later_plans
        FROM payments.merchants m
        WHERE m.id = @id
        """;

    /// <summary>Newest first: ids sort by time.</summary>
    public const string List =
        $"""
        SELECT m.id, m.name, m.country, m.status, m.fee_plan::text, m.payout_delay_days, m.metadata::text, m.created_at, m.updated_at,
            {PricingSql.LaterVersions} AS later_plans
        FROM payments.merchants m
        WHERE m.mode = @mode AND (@after::uuid IS NULL OR m.id < @after)
        ORDER BY m.id DESC
        LIMIT @limit
        """;

    public const string InsertKey =
        """
        INSERT INTO payments.api_keys (bucket, id, merchant_id, scopes, hash, hint, created_at, expires_at)
        VALUES (payments.bucket_of(@merchant), @id, @merchant, @scopes, @hash, @hint, @now, @expiresAt)
        """;

    public const string FindKey =
        """
        SELECT id, merchant_id, array_to_string(scopes, ' ') AS scopes, hint, created_at, expires_at, revoked_at
        FROM payments.api_keys
        WHERE hash = @hash
        """;

    public const string ListKeys =
        """
        SELECT id, merchant_id, array_to_string(scopes, ' ') AS scopes, hint, created_at, expires_at, revoked_at
        FROM payments.api_keys
        WHERE merchant_id = ANY(@accounts)
        ORDER BY id DESC
        """;

    /// <summary>A repeated revocation keeps the time of the first one.</summary>
    public const string RevokeKey =
        """
        UPDATE payments.api_keys
        SET revoked_at = coalesce(revoked_at, @now)
        WHERE merchant_id = ANY(@accounts) AND id = @id
        RETURNING id, merchant_id, array_to_string(scopes, ' ') AS scopes, hint, created_at, expires_at, revoked_at
        """;
}
