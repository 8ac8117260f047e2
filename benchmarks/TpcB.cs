using Npgsql;

namespace Payments.Benchmarks;

/// <summary>
/// pgbench's built-in TPC-B-like transaction (<c>pgbench -b tpcb-like</c>, protocol "prepared") at scale 10, through the driver that the
/// ledger is measured with: five statements, a BEGIN and a COMMIT, a round trip each.
/// </summary>
internal static class TpcB
{
    private const int Scale = 10;

    private static readonly string Schema = $"""
        CREATE SCHEMA tpcb;
        CREATE TABLE tpcb.branches (bid int PRIMARY KEY, bbalance int, filler char(88)) WITH (fillfactor = 100);
        CREATE TABLE tpcb.tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84)) WITH (fillfactor = 100);
        CREATE TABLE tpcb.accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84)) WITH (fillfactor = 100);
        CREATE TABLE tpcb.history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
        INSERT INTO tpcb.branches SELECT i, 0, '' FROM generate_series(1, {Scale}) i;
        INSERT INTO tpcb.tellers SELECT i, (i - 1) / 10 + 1, 0, '' FROM generate_series(1, {Scale * 10}) i;
        INSERT INTO tpcb.accounts SELECT i, (i - 1) / 100000 + 1, 0, '' FROM generate_series(1, {Scale * 100_000}) i;
        GRANT USAGE ON SCHEMA tpcb TO payments_app;
        GRANT ALL ON ALL TABLES IN SCHEMA tpcb TO payments_app;
        ANALYZE tpcb.accounts, tpcb.tellers, tpcb.branches;
        """;

    public static Task CreateAsync(BenchRun run) => run.ExecuteAsync(Schema);

    public static Task<LoadResult> RunAsync(BenchRun run, int callers, BenchTimes times) =>
        OwnConnections.RunAsync(run, callers, times, connection =>
        {
            var (account, teller, branch, delta) = (new Value(), new Value(), new Value(), new Value());
            var commands = new[]
            {
                Command(connection, "BEGIN"),
                Command(connection, "UPDATE tpcb.accounts SET abalance = abalance + $1 WHERE aid = $2", delta, account),
                Command(connection, "SELECT abalance FROM tpcb.accounts WHERE aid = $1", account),
                Command(connection, "UPDATE tpcb.tellers SET tbalance = tbalance + $1 WHERE tid = $2", delta, teller),
                Command(connection, "UPDATE tpcb.branches SET bbalance = bbalance + $1 WHERE bid = $2", delta, branch),
                Command(connection, "INSERT INTO tpcb.history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)", teller, branch, account, delta),
                Command(connection, "COMMIT"),
            };
            return async () =>
            {
                account.Set(Random.Shared.Next(1, (Scale * 100_000) + 1));
                teller.Set(Random.Shared.Next(1, (Scale * 10) + 1));
                branch.Set(Random.Shared.Next(1, Scale + 1));
                delta.Set(Random.Shared.Next(-5000, 5001));
                foreach (var command in commands)
                    await command.ExecuteNonQueryAsync();
            };
        });

    private static NpgsqlCommand Command(NpgsqlConnection connection, string text, params Value[] values)
    {
#pragma warning disable CA2100 // The statements stand above.
        var command = new NpgsqlCommand(text, connection);
#pragma warning restore CA2100
        foreach (var value in values)
            command.Parameters.Add(value.NewParameter());
        return command;
    }

    /// <summary>A random number of one transaction, which several of its statements take.</summary>
    private sealed class Value
    {
        private readonly List<NpgsqlParameter<int>> _parameters = [];

        public NpgsqlParameter<int> NewParameter()
        {
            var parameter = new NpgsqlParameter<int>();
            _parameters.Add(parameter);
            return parameter;
        }

        public void Set(int value)
        {
            foreach (var parameter in _parameters)
                parameter.TypedValue = value;
        }
    }
}
