using System.Globalization;
using System.Net.Sockets;
using Npgsql;
using Payments.Domain.Database;
using Payments.Domain.Ledger;

const string Usage = """
    usage: domain.migrate [apply | status | verify | baseline] [--bootstrap] [--expect NUMBER:HASH]

      apply        applies pending migrations (the default)
      status       lists every migration and when it was applied
      verify       replays the ledger and its seals; ends with 1 and the first bad row if there is one
      baseline     prints the schema files as one script, for a release to freeze (no database is needed)
      --bootstrap  first creates the roles and the database, if they are missing
      --expect     a seal that was kept elsewhere, and that the chain must still contain

    settings (environment):
      ConnectionStrings__PostgresOwner  a login that is a member of payments_owner
      ConnectionStrings__Postgres       the app's login, for --bootstrap
      ConnectionStrings__PostgresAdmin  a login that may create roles and databases, for --bootstrap
    """;

Seal? expected = null;
var bootstrap = false;
var command = "";
for (var i = 0; i < args.Length; i++)
{
    var known = args[i] switch
    {
        "--bootstrap" => bootstrap = true,
        "--expect" when i + 1 < args.Length && args[++i].Split(':') is [var number, { Length: 64 } hash]
            && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var n) => (expected = new Seal(n, 0, default, hash)) is not null,
        "apply" or "status" or "verify" or "baseline" when command.Length == 0 => (command = args[i]).Length > 0,
        _ => false,
    };
    if (!known)
    {
        Console.Error.WriteLine(Usage);
        return 2;
    }
}

if (command == "baseline")
{
    Console.Out.Write(SchemaFiles.All);
    return 0;
}

try
{
    if (bootstrap)
        await DatabaseBootstrap.RunAsync(Setting("PostgresAdmin"), Setting("PostgresOwner"), Setting("Postgres"));

    await using var owner = PaymentsDataSource.Create(Setting("PostgresOwner").ConnectionString, resetSessions: true);
    var migrator = new Migrator(owner, TimeProvider.System);
    if (command == "status")
    {
        foreach (var (migration, appliedAt) in await migrator.StatusAsync())
            Console.WriteLine($"{migration}  {appliedAt?.ToString("u", CultureInfo.InvariantCulture) ?? "pending"}");
        return 0;
    }

    if (command == "verify")
    {
        await migrator.StatusAsync();
        var verdict = await new LedgerVerification(owner).RunAsync(expected, CancellationToken.None);
        foreach (var finding in verdict.Findings)
            Console.Error.WriteLine($"domain.migrate: {finding}");
        if (verdict.IsWhole)
            Console.WriteLine($"the ledger is whole: {verdict.Transfers} transfers, {verdict.Accounts} accounts, {verdict.Seals} seals, {Head(verdict)}");
        return verdict.IsWhole ? 0 : 1;
    }

    var applied = await migrator.ApplyAsync();
    foreach (var migration in applied)
        Console.WriteLine($"applied {migration}");
    if (applied.Count == 0)
        Console.WriteLine("nothing to apply");
    return 0;
}
catch (Exception e) when (e is MigrationException or NpgsqlException or SocketException or ArgumentException)
{
    var cause = e is NpgsqlException { InnerException: SocketException socket } ? $"{e.Message} ({socket.Message})" : e.Message;
    Console.Error.WriteLine($"domain.migrate: {cause.ReplaceLineEndings(" ")}");
    return 1;
}

static NpgsqlConnectionStringBuilder Setting(string name)
{
    var variable = $"ConnectionStrings__{name}";
    var value = Environment.GetEnvironmentVariable(variable);
    return string.IsNullOrWhiteSpace(value)
        ? throw new ArgumentException($"the setting {variable} is missing")
        : new NpgsqlConnectionStringBuilder(value);
}

static string Head(LedgerVerdict verdict) => verdict.Head is { } head ? $"head {head.Number}:{head.Hash}" : "nothing sealed";
