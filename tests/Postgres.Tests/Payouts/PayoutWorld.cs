using System.Net;
using System.Text;
using System.Text.Json;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Balances;
using Payments.Domain.Idempotency;
using Payments.Domain.Ledger;
using Payments.Domain.Messaging;
using Payments.Domain.Payouts;
using Payments.Domain.Secrets;

namespace Payments.Postgres.Tests.Payouts;

/// <summary>A clock that stands still until it is moved, in either direction.</summary>
internal sealed class ManualClock(DateTimeOffset now) : TimeProvider
{
    public DateTimeOffset Now { get; set; } = now;

    public override DateTimeOffset GetUtcNow() => Now;
}

/// <summary>A bank behind HTTP that knows a payout by its reference, as the real one does, and fails as it is told.</summary>
internal sealed class BankDouble : HttpMessageHandler
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, string> _accepted = [];

    public Dictionary<string, long> Paid { get; } = [];

    public int Calls { get; private set; }

    /// <summary>What happens to a call, by its number: null answers, else after (true) or before (false) it took effect the caller hears nothing.</summary>
    public Func<int, bool?> Fails { get; set; } = _ => null;

    public HttpStatusCode? Refuses { get; set; }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var reference = request.Headers.GetValues("Idempotency-Key").Single();
        using var body = JsonDocument.Parse(await request.Content!.ReadAsByteArrayAsync(cancellationToken));
        lock (_gate)
        {
            var fails = Fails(Calls++);
            if (fails == false)
            {
                throw new HttpRequestException("The connection broke before the request arrived.");
            }

            if (Refuses is { } status)
            {
                return new HttpResponseMessage(status) { Content = new StringContent("""{"error":{"code":"invalid_account_number","message":"No such account."}}""") };
            }

            if (!_accepted.TryGetValue(reference, out var id))
            {
                _accepted.Add(reference, id = $"pyo_{_accepted.Count}");
                Paid.Add(reference, body.RootElement.GetProperty("amount").GetInt64());
            }

            if (fails == true)
            {
                throw new HttpRequestException("The connection broke before the answer arrived.");
            }

            return new HttpResponseMessage(HttpStatusCode.Created) { Content = new StringContent($$"""{"id":"{{id}}","status":"pending"}""", Encoding.UTF8, "application/json") };
        }
    }
}

/// <summary>Merchants with money, and everything that pays them, over a real database.</summary>
internal sealed class PayoutWorld : IDisposable
{
    public static readonly DateTimeOffset Friday = new(2026, 11, 20, 9, 0, 0, TimeSpan.Zero);

    private readonly HttpClient _http;

    public PayoutWorld(NpgsqlDataSource dataSource, Action<PayoutsOptions>? configure = null)
    {
        Database = dataSource;
        Options = new PayoutsOptions { ChunkSize = 3, FileFolder = Directory.CreateTempSubdirectory("payouts").FullName };
        configure?.Invoke(Options);
        Ledger = new LedgerPosting(dataSource);
        Store = new FolderPayoutFileStore(Options.FileFolder);
        _http = new HttpClient(Bank) { BaseAddress = new Uri("http://bank.test") };
        Results = new PayoutResults(Ledger, NullLogger<PayoutResults>.Instance);
        Settings = new ManagePayoutSettings(dataSource, Options, Clock);
        Reads = new PayoutReads(dataSource, Clock);
        Release = new ReleaseFunds(dataSource, Ledger, Signal, Clock, NullLogger<ReleaseFunds>.Instance);
        Submit = new SubmitPayout(dataSource, new SandboxBank(_http), Results, Signal, Options, Clock, NullLogger<SubmitPayout>.Instance);
        var idempotency = new IdempotencyStore(dataSource, new SecretBox(new Dictionary<string, byte[]> { ["test"] = new byte[32] }, "test"), Clock);
        Manual = new ManualPayouts(idempotency, new PayoutWriter(Ledger), Results, Options, Signal, Clock);
        Unmatched = new UnmatchedBankItems(dataSource, idempotency, Clock);
        Reports = new BankReports(dataSource, Results, Unmatched, Options, Signal, Clock, NullLogger<BankReports>.Instance);
    }

    public NpgsqlDataSource Database { get; }

    public PayoutsOptions Options { get; }

    public ManualClock Clock { get; } = new(Friday);

    public BankDouble Bank { get; } = new();

    public OutboxSignal Signal { get; } = new();

    public LedgerPosting Ledger { get; }

    public IPayoutFileStore Store { get; set; }

    public PayoutResults Results { get; }

    public ManagePayoutSettings Settings { get; }

    public PayoutReads Reads { get; }

    public ReleaseFunds Release { get; }

    public SubmitPayout Submit { get; }

    public ManualPayouts Manual { get; }

    public BankReports Reports { get; }

    public UnmatchedBankItems Unmatched { get; }

    public PayoutFiles Files => new(Database, Store, Options, Clock, NullLogger<PayoutFiles>.Instance);

    /// <summary>A run as a process of its own would have it.</summary>
    public RunPayouts Run => new(Database, new PayoutWriter(Ledger), Files, Options, Signal, Clock, NullLogger<RunPayouts>.Instance);

    public static DateOnly Today => DateOnly.FromDateTime(Friday.UtcDateTime);

    public void Dispose() => _http.Dispose();

    public async Task<MerchantId> MerchantAsync(Currency? currency = null, bool withAccount = true)
    {
        var merchant = new MerchantId(Guid.CreateVersion7(Clock.Now));
        await using var connection = await Database.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.merchants (id, name, country, status, fee_plan, payout_delay_days, metadata, created_at, updated_at)
            VALUES (@id, 'Müller & Söhne', 'DE', 'active', '{}', 2, '{}', @now, @now)
            """,
            new { id = merchant.Value, now = Clock.Now });
        if (withAccount)
        {
            await AccountAsync(merchant, currency ?? Currency.Eur);
        }

        return merchant;
    }

    public async Task AccountAsync(MerchantId merchant, Currency currency, int number = 1)
    {
        var bban = $"37040044{number:0000000000}";
        var request = currency == Currency.Usd
            ? new BankAccountRequest("us", "Müller & Söhne", null, null, "021000021", $"{number:00000000}", null, true)
            : new BankAccountRequest("iban", "Müller & Söhne", "DE" + Iban.CheckDigits("DE", bban) + bban, null, null, null, null, true);
        Assert.True((await Settings.SetAccountAsync(merchant, currency, request, platform: true, "test", default)).TryGet(out _, out var refusal), refusal?.Detail);
    }

    /// <summary>Money that came in: pending until the date, or available at once without one.</summary>
    public async Task EarnAsync(MerchantId merchant, long amount, DateOnly? availableOn = null, Currency? currency = null, BalanceTransactionType? type = null)
    {
        currency ??= Currency.Eur;
        var now = Clock.Now;
        var money = new Money(Math.Abs(amount), currency);
        var key = $"test/{Guid.CreateVersion7(now):N}";
        var balance = availableOn is null ? ChartOfAccounts.MerchantAvailable(merchant, currency) : ChartOfAccounts.MerchantPending(merchant, currency);
        var clearing = ChartOfAccounts.ProcessorClearing("sandbox", currency);
        var transfer = amount > 0 ? new Transfer(clearing, balance, money, "charge") : new Transfer(balance, clearing, money, "refund") { PastLimit = true };
        await using var connection = await Database.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        Assert.Equal(PostingStatus.Posted, Assert.Single(await Ledger.PostAsync(connection, transaction, [new Journal(merchant, key, "test", now, [transfer])], now, default)).Status);
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                BalanceTransactionLog.Append(
                [
                    new BalanceTransaction(
                        PrefixedId.New<BalanceTransactionId>(now), merchant, type ?? (amount > 0 ? BalanceTransactionType.Charge : BalanceTransactionType.Refund), "ch_test", key,
                        new Money(amount, currency), Money.Zero(currency), availableOn ?? DateOnly.FromDateTime(now.UtcDateTime), availableOn is null ? now : null, null, now),
                ]),
            },
        };
        await batch.ExecuteNonQueryAsync();
        await transaction.CommitAsync();
    }

    public async Task<IReadOnlyList<Payout>> PayoutsAsync(MerchantId merchant) => await Reads.ListAsync(merchant, 1000, null, null, default);

    public async Task<PayoutWordEffect> SayAsync(Payout payout, PayoutStatus said, string? code = null, Money? amount = null)
    {
        await using var connection = await Database.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var effects = await Results.ApplyAsync(connection, transaction, [new PayoutWord(payout.Merchant, payout.Id, said, code, Amount: amount)], Clock.Now, default);
        await transaction.CommitAsync();
        return Assert.Single(effects);
    }

    public async Task<long> BalanceAsync(AccountRef account)
    {
        await using var connection = await Database.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<long>(
            "SELECT COALESCE(sum(b.balance), 0)::bigint FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id WHERE a.name = @name AND a.currency = @currency",
            new { name = account.Name, currency = account.Currency.Code });
    }

    public async Task<long> CountAsync(string sql, object? parameters = null)
    {
        await using var connection = await Database.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<long>(sql, parameters);
    }

    /// <summary>
    /// What must hold at any time: each payout's lines sum to zero and, without its own, to its amount; rows and ledger agree on what is pending,
    /// available, reserved and in transit; the ledger is balanced.
    /// </summary>
    public async Task AssertSoundAsync()
    {
        await using var connection = await Database.OpenConnectionAsync();
        foreach (var (name, sql) in PayoutInvariants.All)
        {
            var broken = (await connection.QueryAsync(sql)).AsList();
            Assert.True(broken.Count == 0, $"{name}: {string.Join("; ", broken.Take(5))}");
        }
    }
}
