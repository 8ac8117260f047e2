using Npgsql;
using NpgsqlTypes;

namespace Payments.Benchmarks;

/// <summary>
/// The ledger as it is usually written: lock both accounts, update both, insert an entry for each, one function call and one commit
/// per transfer. It has no idempotency key, no limits and no seals, which is only in its favour.
/// </summary>
internal static class TextbookLedger
{
    private const string Schema = """
        CREATE SCHEMA textbook;
        CREATE TABLE textbook.accounts (
            id bigint PRIMARY KEY, balance bigint NOT NULL, version bigint NOT NULL, updated_at timestamptz NOT NULL) WITH (fillfactor = 50);
        CREATE TABLE textbook.transfers (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, from_account bigint NOT NULL, to_account bigint NOT NULL,
            amount bigint NOT NULL CHECK (amount > 0), created_at timestamptz NOT NULL);
        CREATE TABLE textbook.entries (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, transfer_id bigint NOT NULL REFERENCES textbook.transfers,
            account_id bigint NOT NULL REFERENCES textbook.accounts, amount bigint NOT NULL, account_version bigint NOT NULL,
            account_balance bigint NOT NULL, UNIQUE (account_id, account_version));
        INSERT INTO textbook.accounts SELECT id, 0, 0, '2026-01-01Z' FROM generate_series(0, 10000) id;

        CREATE FUNCTION textbook.transfer(p_from bigint, p_to bigint, p_amount bigint, p_now timestamptz) RETURNS bigint
        LANGUAGE plpgsql AS $$
        DECLARE
            transfer bigint;
            from_row textbook.accounts;
            to_row textbook.accounts;
        BEGIN
            PERFORM FROM textbook.accounts WHERE id IN (p_from, p_to) ORDER BY id FOR UPDATE;
            UPDATE textbook.accounts SET balance = balance - p_amount, version = version + 1, updated_at = p_now
                WHERE id = p_from RETURNING * INTO from_row;
            UPDATE textbook.accounts SET balance = balance + p_amount, version = version + 1, updated_at = p_now
                WHERE id = p_to RETURNING * INTO to_row;
            INSERT INTO textbook.transfers (from_account, to_account, amount, created_at)
                VALUES (p_from, p_to, p_amount, p_now) RETURNING id INTO transfer;
            INSERT INTO textbook.entries (transfer_id, account_id, amount, account_version, account_balance) VALUES
                (transfer, p_from, -p_amount, from_row.version, from_row.balance), (transfer, p_to, p_amount, to_row.version, to_row.balance);
            RETURN transfer;
        END
        $$;
        GRANT USAGE ON SCHEMA textbook TO payments_app;
        GRANT ALL ON ALL TABLES IN SCHEMA textbook TO payments_app;
        GRANT EXECUTE ON FUNCTION textbook.transfer TO payments_app;
        ANALYZE textbook.accounts;
        """;

    public static Task CreateAsync(BenchRun run) => run.ExecuteAsync(Schema);

    public static Task<LoadResult> RunAsync(BenchRun run, int callers, BenchTimes times, Func<(int From, int To)> pick) =>
        OwnConnections.RunAsync(run, callers, times, connection =>
        {
            var command = new NpgsqlCommand("SELECT textbook.transfer($1, $2, $3, $4)", connection);
            var (from, to, amount, now) = (new NpgsqlParameter<long>(), new NpgsqlParameter<long>(), new NpgsqlParameter<long>(), new NpgsqlParameter<DateTime>());
            now.NpgsqlDbType = NpgsqlDbType.TimestampTz;
            command.Parameters.Add(from);
            command.Parameters.Add(to);
            command.Parameters.Add(amount);
            command.Parameters.Add(now);
            return async () =>
            {
                var (debit, credit) = pick();
                from.TypedValue = debit;
                to.TypedValue = credit;
                amount.TypedValue = 100;
                now.TypedValue = TimeProvider.System.GetUtcNow().UtcDateTime;
                await command.ExecuteScalarAsync();
            };
        });
}

/// <summary>Callers with a connection and prepared statements each: how a baseline runs.</summary>
internal static class OwnConnections
{
    public static async Task<LoadResult> RunAsync(BenchRun run, int callers, BenchTimes times, Func<NpgsqlConnection, Func<Task>> prepare)
    {
        var connections = new List<NpgsqlConnection>();
        try
        {
            for (var i = 0; i < callers; i++)
                connections.Add(await run.App.OpenConnectionAsync());
            var calls = connections.Select(prepare).ToArray();
            return await ClosedLoop.RunAsync(callers, times.WarmUp, times.Measure, caller => calls[caller]());
        }
        finally
        {
            foreach (var connection in connections)
                await connection.DisposeAsync();
        }
    }
}

internal sealed record BenchTimes(TimeSpan WarmUp, TimeSpan Measure);
