namespace Payments.Domain.Balances;

internal static class BalanceSql
{
    public const string Append =
        """
        INSERT INTO payments.balance_transactions
            (bucket, merchant_id, id, type, source_id, journal_key, currency, amount, fee, net, available_on, released_at, batch_id,
                created_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, id, type, source_id, journal_key, currency, amount, fee, amount - fee,
            available_on, released_at, batch_id, created_at
        FROM (
            SELECT unnest($1::uuid[]) AS merchant_id, unnest($2::uuid[]) AS id, unnest($3::text[]) AS type, unnest($4::text[]) AS source_id, unnest($5::text[]) AS journal_key,
                unnest($6::text[]) AS currency, unnest($7::bigint[]) AS amount, unnest($8::bigint[]) AS fee, unnest($9::date[]) AS available_on, unnest($10::timestamptz[]) AS released_at,
                unnest($11::uuid[]) AS batch_id, unnest($12::timestamptz[]) AS created_at
        ) AS t
        """;

    /// <summary>The start of every list of balance transactions. <see cref="Database.ListQuery"/> adds the given filters.</summary>
    public const string List =
        """
        SELECT b.id, b.type, b.source_id, b.currency, b.amount, b.fee, b.net, b.released_at IS NOT NULL, b.available_on,
            (SELECT p.id FROM payments.payouts p WHERE p.merchant_id = b.merchant_id AND p.batch_id = b.batch_id), b.created_at
        FROM payments.balance_lines b
        """;
}
