namespace Payments.Functions.Tests;

/// <summary>The books over the API.</summary>
public sealed class LedgerApiTests(RunningApp app)
{
    [Fact]
    public async Task Accounts_OfAMerchantThatCharged_HoldWhatTheStatementAddsUpTo()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        for (var i = 0; i < 3; i++)
            await merchant.ChargeAsync(10_000);

        var accounts = await app.GetAsync($"/v1/ledger/accounts?prefix=merchant/{merchant.Id}/", app.PlatformKey);
        var pending = accounts.Json["data"]!.AsArray().Single(a => a!["name"]!.GetValue<string>() == $"merchant/{merchant.Id}/pending")!;
        var lines = new List<(long Change, long Balance, long Version)>();
        var query = $"/v1/ledger/statement?account=merchant/{merchant.Id}/pending&currency=EUR&limit=4";
        for (var next = query; next is not null;)
        {
            var page = await app.GetAsync(next, app.PlatformKey);
            var data = page.Json["data"]!.AsArray();
            lines.AddRange(data.Select(l => (l!["change"]!.GetValue<long>(), l["balance"]!.GetValue<long>(), l["version"]!.GetValue<long>())));
            next = page.Json["has_more"]!.GetValue<bool>() ? $"{query}&starting_after={data[^1]!["cursor"]!.GetValue<string>()}" : null;
        }

        Assert.Equal(3 * 9_680, pending["balance"]!.GetValue<long>());
        Assert.Equal(6, lines.Count);
        Assert.Equal(3 * 9_680, lines.Sum(line => line.Change));
        Assert.Equal(3 * 9_680, lines[0].Balance);
        Assert.Equal([6, 5, 4, 3, 2, 1], lines.Select(line => line.Version));
    }

    [Fact]
    public async Task TrialBalance_AtAnyTime_Balances()
    {
        var merchant = await app.CreateMerchantAsync();
        await merchant.ChargeAsync();

        var trial = await app.GetAsync("/v1/ledger/trial_balance?mode=test", app.PlatformKey);

        Assert.True(trial.Json["balanced"]!.GetValue<bool>(), trial.Body);
        Assert.NotEmpty(trial.Json["rows"]!.AsArray());
    }

    [Fact]
    public async Task Journal_ByTheKeyInAStatement_ShowsItsTransfers()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        await merchant.ChargeAsync(10_000);
        var statement = await app.GetAsync($"/v1/ledger/statement?account=merchant/{merchant.Id}/pending&currency=EUR", app.PlatformKey);
        var key = statement.Json["data"]![0]!["external_key"]!.GetValue<string>();

        var journal = await app.GetAsync($"/v1/ledger/journals/{key}", app.PlatformKey);

        Assert.Equal([10_000L, 320L], journal.Json["transfers"]!.AsArray().Select(t => t!["amount"]!.GetValue<long>()));
        Assert.Equal(404, (await app.GetAsync("/v1/ledger/journals/capture:none", app.PlatformKey)).Status);
    }

    [Fact]
    public async Task Seals_AfterACharge_GoOn()
    {
        var merchant = await app.CreateMerchantAsync();
        await merchant.ChargeAsync();

        var seals = await RunningApp.EventuallyAsync(() => app.GetAsync("/v1/ledger/seals?limit=1", app.PlatformKey), answer => answer.Json["data"]!.AsArray().Count == 1, "the ledger is sealed");

        Assert.Equal(1, seals.Json["data"]![0]!["number"]!.GetValue<long>());
    }

    [Theory]
    [InlineData("accounts")]
    [InlineData("seals")]
    [InlineData("trial_balance")]
    [InlineData("statement?account=platform/fees&currency=EUR")]
    public async Task Books_ForAMerchantsKey_AreClosed(string path)
    {
        var merchant = await app.CreateMerchantAsync();

        Assert.Equal(403, (await merchant.GetAsync($"/v1/ledger/{path}")).Status);
    }
}
