namespace Payments.Domain.Payouts;

internal static class PayoutSettingsSql
{
    private const string Select =
        """
        SELECT s.currency, s.interval, s.weekday, s.month_day, s.next_on, s.delay_days, s.minimum, s.maximum, s.reserve_basis_points, s.reserve_days, s.reserve_fixed, s.hold_reason,
               a.id, a.kind, a.holder_name, a.iban, a.bic, a.routing_number, a.account_number, a.account_type, a.status, a.failure_code,
               a.verified_at IS NOT NULL, a.usable_from, a.holder_address, a.payee_result, a.payee_checked_at, a.payee_suggested_name,
               a.payee_accepted_at IS NOT NULL, a.instant_reachable, a.corrects, a.correction_code
        FROM payments.payout_settings s
        LEFT JOIN payments.bank_accounts a ON a.merchant_id = s.merchant_id AND a.id = s.bank_account_id
        """;

    public const string List = $"{Select} WHERE s.merchant_id = $1 ORDER BY s.currency";

    public const string Get = $"{Select} WHERE s.merchant_id = $1 AND s.currency = $2";

    public const string Exists = "SELECT status FROM payments.merchants WHERE id = $1";

    // The defaults: daily payouts of the whole available balance.
    public const string Ensure =
        """
        INSERT INTO payments.payout_settings
            (bucket, merchant_id, currency, interval, minimum, reserve_basis_points, reserve_days, reserve_fixed, created_at, updated_at)
        VALUES (payments.bucket_of($1), $1, $2, 'daily', 1, 0, 0, 0, $3, $3)
        ON CONFLICT (merchant_id, currency, bucket) DO NOTHING
        """;

    public const string Lock = $"{Select} WHERE s.merchant_id = $1 AND s.currency = $2 FOR UPDATE OF s";

    public const string Update =
        """
        UPDATE payments.payout_settings
        SET interval = $3, weekday = $4, month_day = $5, next_on = $6, delay_days = $7, minimum = $8, maximum = $9,
            reserve_basis_points = $10, reserve_days = $11, reserve_fixed = $12, updated_at = $13
        WHERE merchant_id = $1 AND currency = $2
        """;

    public const string SetHold = "UPDATE payments.payout_settings SET hold_reason = $3, updated_at = $4 WHERE merchant_id = $1 AND currency = $2";

    public const string SetAccount = "UPDATE payments.payout_settings SET bank_account_id = $3, updated_at = $4 WHERE merchant_id = $1 AND currency = $2";

    public const string InsertAccount =
        """
        INSERT INTO payments.bank_accounts
            (bucket, merchant_id, id, currency, kind, holder_name, iban, bic, routing_number, account_number, account_type, status,
             verified_at, usable_from, created_at, updated_at, holder_address, payee_result, payee_checked_at, payee_suggested_name, instant_reachable)
        VALUES (payments.bucket_of($1), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'active', $11, $12, $13, $13, $14, $15, $16, $17, $18)
        """;

    // Verifying an account also accepts the bank's answer about its holder, if there is one.
    public const string VerifyAccount =
        """
        UPDATE payments.bank_accounts
        SET verified_at = COALESCE(verified_at, $3),
            payee_accepted_at = CASE WHEN payee_result IS NOT NULL THEN COALESCE(payee_accepted_at, $3) END, updated_at = $3
        WHERE merchant_id = $1 AND id = $2
        """;

    // The platform has not accepted a new answer yet.
    public const string SetPayee =
        """
        UPDATE payments.bank_accounts
        SET payee_result = $3, payee_checked_at = $4, payee_suggested_name = $5, payee_accepted_at = NULL,
            instant_reachable = $6, updated_at = $4
        WHERE merchant_id = $1 AND id = $2
        """;

    public const string GetAccount =
        """
        SELECT id, kind, holder_name, iban, bic, routing_number, account_number, account_type, status, failure_code,
               verified_at IS NOT NULL, usable_from,
               holder_address, payee_result, payee_checked_at, payee_suggested_name, payee_accepted_at IS NOT NULL, instant_reachable,
               corrects, correction_code
        FROM payments.bank_accounts WHERE merchant_id = $1 AND id = $2
        """;

    public const string AccountOfPayout = "SELECT currency, bank_account_id FROM payments.payouts WHERE merchant_id = $1 AND id = $2";

    public const string LockAlone = "SELECT FROM payments.payout_settings WHERE merchant_id = $1 AND currency = $2 FOR UPDATE";

    // The corrected account keeps the verification and the cooling period of the account before it: the bank made the change, not a caller
    // with a key.
    public const string InsertCorrection =
        """
        INSERT INTO payments.bank_accounts
            (bucket, merchant_id, id, currency, kind, holder_name, routing_number, account_number, account_type, status, verified_at,
                usable_from,
            created_at, updated_at, corrects, correction_code, holder_address)
        SELECT payments.bucket_of(merchant_id), merchant_id, $3, currency, kind, $4, $5, $6, $7, 'active', verified_at, usable_from, $9,
            $9, id, $8, holder_address
        FROM payments.bank_accounts WHERE merchant_id = $1 AND id = $2
        """;

    // Whether account $2 comes from account $3 by corrections alone.
    public const string Descends =
        """
        WITH RECURSIVE line AS (
            SELECT corrects FROM payments.bank_accounts WHERE merchant_id = $1 AND id = $2
            UNION
            SELECT a.corrects FROM payments.bank_accounts a JOIN line ON a.merchant_id = $1 AND a.id = line.corrects
        )
        SELECT EXISTS (SELECT FROM line WHERE corrects = $3)
        """;

    public const string LockWaiting =
        """
        SELECT id, run_id FROM payments.payouts
        WHERE merchant_id = $1 AND bank_account_id = $2 AND status = 'pending' AND rail = 'file'
        ORDER BY id FOR UPDATE
        """;

    public const string LockRuns = "SELECT FROM payments.payout_runs WHERE id = ANY($1) ORDER BY id FOR UPDATE";

    public const string Redirect =
        """
        UPDATE payments.payouts p SET bank_account_id = $3
        WHERE p.merchant_id = $1 AND p.id = ANY($2) AND NOT EXISTS (SELECT FROM payments.payout_files f WHERE f.run_id = p.run_id)
        """;
}
