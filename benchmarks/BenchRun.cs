using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Npgsql;
using Payments.Domain.Database;

namespace Payments.Benchmarks;

/// <summary>
/// One run of one benchmark: a migrated database of its own on the run's server, dropped afterwards, and the lines it prints.
/// </summary>
internal sealed class BenchRun : IAsyncDisposable
{
    private readonly string _admin;
    private readonly string _database;

    private BenchRun(BenchServers servers, string name, bool quick, string database)
    {
        Servers = servers;
        Name = name;
        Quick = quick;
        _admin = servers.Admin;
        _database = database;
        Owner = PaymentsDataSource.Create(ConnectionString("payments_bench_owner"), resetSessions: true);
        App = PaymentsDataSource.Create(ConnectionString("payments_bench_app"));
    }

    public BenchServers Servers { get; }

    public string Name { get; }

    /// <summary>A run within 90 seconds, with the same lines; only the full run is worth recording.</summary>
    public bool Quick { get; }

    public NpgsqlDataSource Owner { get; }

    public NpgsqlDataSource App { get; }

    public string OwnerConnectionString => ConnectionString("payments_bench_owner");

    public string AppConnectionString => ConnectionString("payments_bench_app");

    public static async Task<BenchRun> StartAsync(BenchServers servers, string name, bool quick)
    {
        var run = new BenchRun(servers, name, quick, $"payments_bench_{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}");
        await DatabaseBootstrap.RunAsync(new(servers.Admin), new(run.ConnectionString("payments_bench_owner")), new(run.AppConnectionString));
        await new Migrator(run.Owner, TimeProvider.System).ApplyAsync();
        var server = new List<string>();
        foreach (var setting in new[] { "server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers", "max_wal_size" })
            server.Add($"{setting}={await run.ScalarAsync<string>($"SELECT current_setting('{setting}')")}");
        Console.Error.WriteLine(
            $"# {RuntimeInformation.OSDescription}, {Environment.ProcessorCount} processors, {RuntimeInformation.FrameworkDescription}, Postgres: {string.Join(' ', server)}");
        return run;
    }

    /// <summary>Prints one measurement, beside what the same run measured for the alternative.</summary>
    public void Report(string @case, string metric, double value, string unit, double? baseline = null) =>
        Console.WriteLine(JsonSerializer.Serialize(
            new BenchLine(Name, @case, metric, Rounded(value), unit, baseline is { } b ? Rounded(b) : null, baseline is { } r and not 0 ? Rounded(value / r) : null),
            BenchJson.Default.BenchLine));

    public async Task ExecuteAsync(string sql)
    {
        await using var connection = await Owner.OpenConnectionAsync();
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The benchmarks' own statements.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.CommandTimeout = 0;
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var connection = await Owner.OpenConnectionAsync();
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The benchmarks' own statements.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.CommandTimeout = 0;
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>The administrator's connection to the run's database, for what only a superuser may ask.</summary>
    public async Task<NpgsqlConnection> OpenAdminAsync()
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_admin) { Database = _database, Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }

    public async ValueTask DisposeAsync()
    {
        await App.DisposeAsync();
        await Owner.DisposeAsync();
        await using var connection = new NpgsqlConnection(_admin);
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The name is made above.
        command.CommandText = $"DROP DATABASE IF EXISTS {_database} WITH (FORCE)";
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync();
    }

    private string ConnectionString(string user) => new NpgsqlConnectionStringBuilder(_admin)
    {
        Database = _database,
        Username = user,
        Password = "payments-bench",
        MaxPoolSize = 300,
        CommandTimeout = 120,
    }.ConnectionString;

    private static double Rounded(double value) =>
        value == 0 || !double.IsFinite(value) ? 0 : double.Parse(value.ToString("G5", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
}

internal sealed record BenchLine(string Bench, string Case, string Metric, double Value, string Unit, double? Baseline, double? Ratio);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(BenchLine))]
internal sealed partial class BenchJson : JsonSerializerContext;
