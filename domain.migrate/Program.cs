using System.Globalization;
using System.Net.Sockets;
using Npgsql;
using Payments.Domain.Database;

const string Usage = """
    usage: domain.migrate [apply | status] [--bootstrap]

      apply        applies pending migrations (the default)
      status       lists every migration and when it was applied
      --bootstrap  first creates the roles and the database, if they are missing

    settings (environment):
      ConnectionStrings__PostgresOwner  a login that is a member of payments_owner
      ConnectionStrings__Postgres       the app's login, for --bootstrap
      ConnectionStrings__PostgresAdmin  a login that may create roles and databases, for --bootstrap
    """;

var commands = args.Where(arg => arg != "--bootstrap").ToArray();
var command = commands is [var only] ? only : "apply";
if (commands.Length > 1 || command is not ("apply" or "status"))
{
    Console.Error.WriteLine(Usage);
    return 2;
}

try
{
    if (args.Contains("--bootstrap"))
        await DatabaseBootstrap.RunAsync(Setting("PostgresAdmin"), Setting("PostgresOwner"), Setting("Postgres"));

    await using var owner = PaymentsDataSource.Create(Setting("PostgresOwner").ConnectionString);
    var migrator = new Migrator(owner, TimeProvider.System);
    if (command == "status")
    {
        foreach (var (migration, appliedAt) in await migrator.StatusAsync())
            Console.WriteLine($"{migration}  {appliedAt?.ToString("u", CultureInfo.InvariantCulture) ?? "pending"}");
        return 0;
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
