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

    public string RefusalCode { get; set; } = "invalid_account_number";

    /// <summary>The answer about the holder of any account; null and the bank cannot be reached.</summary>
    public string? Payee { get; set; } = """{"result":"match","instant_reachable":true}""";

    public int PayeeCalls { get; private set; }

    /// <summary>How often the bank was asked about a payout that it had been sent.</summary>
    public int Questions { get; private set; }

    /// <summary>The bank's own clock.</summary>
    public required Func<DateTimeOffset> Now { get; set; }

    /// <summary>The status that the bank reports when it is asked, for every payout that it was sent.</summary>
    public string Status { get; set; } = "in_transit";

    /// <summary>Whether such a question goes without an answer.</summary>
    public bool Silent { get; set; }

    /// <summary>The bodies of requests to pay, in the order in which they arrived.</summary>
    public List<string> Requests { get; } = [];

    private HttpResponseMessage Check()
    {
        lock (_gate)
        {
            PayeeCalls++;
            return Payee is { } answer ? Json(HttpStatusCode.OK, answer) : throw new HttpRequestException("The bank cannot be reached.");
        }
    }

    private HttpResponseMessage Tell(string reference)
    {
        lock (_gate)
        {
            Questions++;
            return Silent ? throw new HttpRequestException("The bank cannot be reached.")
                : _accepted.TryGetValue(reference, out var id) ? Json(HttpStatusCode.OK, $$"""{"id":"{{id}}","reference":"{{reference}}","status":"{{Status}}"}""")
                : Json(HttpStatusCode.NotFound, $$$"""{"error":{"code":"payout_not_found","message":"No payout has this reference.","as_of":"{{{Now():O}}}"}}""");
        }
    }

    private static HttpResponseMessage Json(HttpStatusCode status, string body) =>
        new(status) { Content = new StringContent(body, Encoding.UTF8, "application/json") };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.RequestUri!.AbsolutePath == "/v1/payee_checks")
        {
            return Check();
        }

        if (request.Method == HttpMethod.Get)
        {
            return Tell(request.RequestUri.Query["?reference=".Length..]);
        }

        var reference = request.Headers.GetValues("Idempotency-Key").Single();
        using var body = JsonDocument.Parse(await request.Content!.ReadAsByteArrayAsync(cancellationToken));
        lock (_gate)
        {
            var fails = Fails(Calls++);
            if (fails == false)
            {
                throw new HttpRequestException("The connection broke before the request arrived.");
            }

            Requests.Add(body.RootElement.GetRawText());

            if (Refuses is { } status)
            {
                return new HttpResponseMessage(status) { Content = new StringContent($$$"""{"error":{"code":"{{{RefusalCode}}}","message":"The bank says no."}}""") };
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
        Options = new PayoutsOptions
        {
            ChunkSize = 3,
            FileFolder = Directory.CreateTempSubdirectory("payouts").FullName,
            OriginatorName = "Payment Functions",
            OriginatorIban = "DE89370400440532013000",
            OriginatorAddress = new() { TownName = "Berlin", Country = "DE" },
            NachaDestination = "091000019",
            NachaDestinationName = "SANDBOX BANK",
            NachaOrigin = "1000000000",
            NachaCompanyId = "1000000000",
            NachaOdfi = "09100001",
        };
        configure?.Invoke(Options);
        Ledger = new LedgerPosting(dataSource);
        Store = new FolderPayoutFileStore(Options.FileFolder);
        Bank = new BankDouble { Now = () => Clock.Now };
        _http = new HttpClient(Bank) { BaseAddress = new Uri("http://bank.test") };
        Results = new PayoutResults(Ledger, NullLogger<PayoutResults>.Instance);
        Settings = new ManagePayoutSettings(dataSource, new SandboxBank(_http), Options, Clock);
        Reads = new PayoutReads(dataSource);
        Previews = new PayoutPreviews(dataSource, Options, Clock);
        Release = new ReleaseFunds(dataSource, Ledger, Signal, Clock, NullLogger<ReleaseFunds>.Instance);
        News = new ApplyPayoutNews(dataSource, Results, new SandboxBank(_http), Signal, Clock);
        Submit = new SubmitPayout(dataSource, new SandboxBank(_http), Results, Signal, Options, Clock, NullLogger<SubmitPayout>.Instance);
        var idempotency = new IdempotencyStore(
            dataSource, new SecretBox(new Dictionary<string, byte[]> { ["test"] = new byte[32] }, "test"), Clock);
        Manual = new ManualPayouts(idempotency, Release, new PayoutWriter(Ledger), Results, Options, Signal, Clock);
        Unmatched = new UnmatchedBankItems(dataSource, idempotency, Clock);
        Reports = new BankReports(dataSource, Results, Unmatched, Options, Signal, Clock, NullLogger<BankReports>.Instance);
    }

    public NpgsqlDataSource Database { get; }

    public PayoutsOptions Options { get; }

    public ManualClock Clock { get; } = new(Friday);

    public BankDouble Bank { get; }

    public OutboxSignal Signal { get; } = new();

    public LedgerPosting Ledger { get; }

    public IPayoutFileStore Store { get; set; }

    public PayoutResults Results { get; }

    public ManagePayoutSettings Settings { get; }

    public PayoutReads Reads { get; }

    public PayoutPreviews Previews { get; }

    public ReleaseFunds Release { get; }

    public ApplyPayoutNews News { get; }

    public SubmitPayout Submit { get; }

    public ManualPayouts Manual { get; }

    public BankReports Reports { get; }

    public UnmatchedBankItems Unmatched { get; }

    public PayoutFiles Files => new(Database, Store, Options, Clock, NullLogger<PayoutFiles>.Instance);

    /// <summary>A run as a process of its own would have it.</summary>
    public RunPayouts Run => new(Database, Release, new PayoutWriter(Ledger), Files, Options, Signal, Clock,
        NullLogger<RunPayouts>.Instance);

    public static DateOnly Today => DateOnly.FromDateTime(Friday.UtcDateTime);

    public void Dispose() => _http.Dispose();

    public async Task<MerchantId> MerchantAsync(Currency? currency = null, bool withAccount = true)
    {
        var merchant = new MerchantId(Guid.CreateVersion7(Clock.Now));
        await using var connection = await Database.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.merchants (bucket, id, name, country, status, fee_plan, payout_delay_days, metadata, created_at,
                updated_at)
            VALUES (payments.bucket_of(@id), @id, 'Müller & Söhne', 'DE', 'active', '{}', 2, '{}', @now, @now)
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
        var set = await Settings.SetAccountAsync(merchant, currency, AccountRequest(currency, number, verified: true), platform: true,
            "test", default);
        Assert.True(set.TryGet(out _, out var refusal), refusal?.Detail);
    }

    public static BankAccountRequest AccountRequest(Currency currency, int number, bool? verified)
    {
        var bban = $"37040044{number:0000000000}";
        return currency == Currency.Usd
            ? new BankAccountRequest("us", "Müller & Söhne", null, null, "021000021", $"{number:00000000}", null, verified)
            : new BankAccountRequest("iban", "Müller & Söhne", "DE" + Iban.CheckDigits("DE", bban) + bban, null, null, null, null,
                verified);
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

    /// <summary>What the next run would pay the merchant; with a date, what that one would.</summary>
    public async Task<PayoutPreviewResource> PreviewAsync(MerchantId merchant, Currency currency, DateOnly? date = null) =>
        (await Previews.PreviewAsync(merchant, currency, date, default)).TryGet(out var preview, out var refusal) ? preview
            : throw new InvalidOperationException(refusal.Detail);

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
