namespace Payments.Domain.Pricing;

internal static class PricingSql
{
    /// <summary>The versions of a merchant's plan after the first as one JSON array, for a query over <c>payments.merchants m</c>.</summary>
    public const string LaterVersions =
        """
        (SELECT jsonb_agg(jsonb_build_object('version', f.version, 'effective_from', f.effective_from, 'plan', f.plan, 'created_at', f.created_at, 'created_by', f.created_by) ORDER BY f.version)
         FROM payments.fee_plans f WHERE f.merchant_id = m.id)::text
        """;

    /// <summary>Requests that change one merchant's plan wait for each other here.</summary>
    public const string LockMerchant = "SELECT id FROM payments.merchants WHERE id = $1 FOR NO KEY UPDATE";

    public const string Insert =
        """
        INSERT INTO payments.fee_plans (bucket, merchant_id, version, effective_from, plan, created_at, created_by)
        VALUES (payments.bucket_of($1), $1, $2, $3, $4::jsonb, $5, $6)
        """;

    /// <summary>
    /// Locks the rows of the months and returns their volumes. Lock order: months by (merchant, currency, month). A month without a row
    /// gets one, so that two transactions that begin it wait for each other.
    /// </summary>
    public const string LockVolumes =
        """
        INSERT INTO payments.monthly_volumes AS v (bucket, merchant_id, currency, month, captured, captures)
        SELECT payments.bucket_of(merchant_id), merchant_id, currency, month, 0, 0
        FROM unnest($1::uuid[], $2::text[], $3::date[]) AS t (merchant_id, currency, month)
        ORDER BY merchant_id, currency, month
        ON CONFLICT (merchant_id, currency, month, bucket) DO UPDATE SET captured = v.captured
        RETURNING merchant_id, currency, month, captured
        """;

    public const string AddVolumes =
        """
        INSERT INTO payments.monthly_volumes AS v (bucket, merchant_id, currency, month, captured, captures)
        SELECT payments.bucket_of(merchant_id), merchant_id, currency, month, captured, captures
        FROM unnest($1::uuid[], $2::text[], $3::date[], $4::bigint[], $5::bigint[]) AS t (merchant_id, currency, month, captured, captures)
        ORDER BY merchant_id, currency, month
        ON CONFLICT (merchant_id, currency, month, bucket) DO UPDATE SET captured = v.captured + EXCLUDED.captured,
            captures = v.captures + EXCLUDED.captures
        """;

    public const string Volume = "SELECT captured FROM payments.monthly_volumes WHERE merchant_id = $1 AND currency = $2 AND month = $3";
}
