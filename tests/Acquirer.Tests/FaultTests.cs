using System.Text.Json;

namespace Payments.Acquirer.Tests;

public sealed class FaultTests
{
    [Theory]
    [InlineData("tok_timeout_after_charging", 1)]
    [InlineData("tok_timeout_before_charging", 0)]
    [InlineData("tok_drop_after_charging", 1)]
    [InlineData("tok_drop_before_charging", 0)]
    public async Task Pay_TokenThatNeverAnswers_ChargesAsItsNameSays(string token, int charged)
    {
        await using var sandbox = await Sandbox.StartAsync();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => sandbox.PayAsync("r1", token));
        Assert.Equal(charged, (await sandbox.JournalAsync()).Count);
        Assert.Equal(charged == 1 ? 200 : 404, (await sandbox.GetAsync("/v1/operations?reference=r1")).Status);
    }

    [Theory]
    [InlineData("tok_fail_after_charging", 500, 1)]
    [InlineData("tok_fail_before_charging", 500, 0)]
    [InlineData("tok_rate_limited", 429, 0)]
    public async Task Pay_TokenThatFails_ChargesAsItsNameSays(string token, int status, int charged)
    {
        await using var sandbox = await Sandbox.StartAsync();
        Assert.Equal(status, (await sandbox.PayAsync("r1", token)).Status);
        Assert.Equal(charged, (await sandbox.JournalAsync()).Count);
    }

    [Fact]
    public async Task Pay_SameKeyAfterSpoiledAnswer_GetsTheTruth()
    {
        await using var sandbox = await Sandbox.StartAsync();
        Assert.Equal(500, (await sandbox.PayAsync("r1", "tok_fail_after_charging")).Status);
        var again = await sandbox.PayAsync("r1", "tok_fail_after_charging");
        Assert.Equal((200, "captured"), (again.Status, again.Field("status")));
        Assert.Single(await sandbox.JournalAsync());
    }

    [Fact]
    public async Task Pay_MalformedToken_AnswersHalfAndChargesOnce()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var reply = await sandbox.PayAsync("r1", "tok_malformed");
        Assert.Equal(200, reply.Status);
        Assert.Equal(JsonValueKind.Undefined, reply.Json.ValueKind);
        Assert.Single(await sandbox.JournalAsync());
    }

    [Fact]
    public async Task Pay_CallerGoesAway_IsStillDone()
    {
        await using var sandbox = await Sandbox.StartAsync();
        await sandbox.FaultsAsync("""{"rules":[{"kind":"delay_before","operation":"payment","delay_milliseconds":1000}]}""");
        using var impatient = new CancellationTokenSource();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/payments") { Content = new StringContent(Sandbox.Payment("r1")) };
        request.Headers.Add("Idempotency-Key", "r1");
        var call = sandbox.Http.SendAsync(request, impatient.Token);
        await sandbox.EventuallyAsync("/control/faults", reply => reply.Amount("injected") == 1);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await sandbox.EventuallyAsync("/v1/operations?reference=r1", reply => reply.Status == 200);
    }

    [Theory]
    [InlineData("capture", "captures", false)]
    [InlineData("cancel", "cancels", false)]
    [InlineData("refund", "refunds", true)]
    public async Task Operation_TokenFaultOfItsKind_MeetsItAlone(string operation, string path, bool capture)
    {
        await using var sandbox = await Sandbox.StartAsync();
        var before = await sandbox.PayAsync("r1", $"tok_{operation}_fail_before", capture: capture);
        var after = await sandbox.PayAsync("r2", $"tok_{operation}_fail_after", capture: capture);
        Assert.Equal(500, (await sandbox.OperateAsync(before.Field("id"), path, "o1", 10)).Status);
        Assert.Equal(500, (await sandbox.OperateAsync(after.Field("id"), path, "o2", 10)).Status);
        Assert.Equal(404, (await sandbox.GetAsync("/v1/operations?reference=o1")).Status);
        Assert.Equal(200, (await sandbox.GetAsync("/v1/operations?reference=o2")).Status);
    }

    [Fact]
    public async Task Rules_SameSeed_DealTheSameFaultsWhateverTheOrder()
    {
        var first = await OutcomesAsync(7, Enumerable.Range(0, 60), atOnce: false);
        var second = await OutcomesAsync(7, Enumerable.Range(0, 60).Reverse(), atOnce: true);
        var other = await OutcomesAsync(8, Enumerable.Range(0, 60), atOnce: false);
        Assert.Equal(first, second);
        Assert.NotEqual(first, other);
        Assert.InRange(first.Count(pair => pair.Value != 200), 10, 50);
    }

    [Fact]
    public async Task Flaky_SameSeed_FailsTheSameCalls()
    {
        async Task<List<bool>> RunAsync()
        {
            await using var sandbox = await Sandbox.StartAsync("Seed=5");
            var fine = new List<bool>();
            for (var i = 0; i < 40; i++)
            {
                try
                {
                    fine.Add((await sandbox.PayAsync($"r{i}", "tok_flaky")).Status == 200);
                }
                catch (HttpRequestException)
                {
                    fine.Add(false);
                }
            }
            return fine;
        }

        var first = await RunAsync();
        Assert.Equal(first, await RunAsync());
        Assert.InRange(first.Count(fine => fine), 10, 35);
    }

    [Fact]
    public async Task Rules_TimesAndToken_LimitWhoMeetsThem()
    {
        await using var sandbox = await Sandbox.StartAsync();
        await sandbox.FaultsAsync("""{"rules":[{"kind":"rate_limit","operation":"payment","token":"tok_amex","times":2}]}""");
        Assert.Equal(200, (await sandbox.PayAsync("r1")).Status);
        Assert.Equal(429, (await sandbox.PayAsync("r2", "tok_amex")).Status);
        Assert.Equal(429, (await sandbox.PayAsync("r2", "tok_amex")).Status);
        Assert.Equal(200, (await sandbox.PayAsync("r2", "tok_amex")).Status);
        Assert.Equal(2, (await sandbox.GetAsync("/control/faults")).Amount("injected"));
    }

    [Fact]
    public async Task Rules_Burst_MeetsSoManyInARow()
    {
        await using var sandbox = await Sandbox.StartAsync();
        await sandbox.FaultsAsync("""{"rules":[{"kind":"rate_limit","burst":3,"times":3}]}""");
        List<int> statuses = [];
        for (var i = 0; i < 5; i++)
            statuses.Add((await sandbox.PayAsync($"r{i}")).Status);
        Assert.Equal([429, 429, 429, 200, 200], statuses);
    }

    [Fact]
    public async Task Rules_Cleared_DealNothing()
    {
        await using var sandbox = await Sandbox.StartAsync();
        await sandbox.FaultsAsync("""{"rules":[{"kind":"fail_before","status":503}]}""");
        Assert.Equal(503, (await sandbox.PayAsync("r1")).Status);
        await sandbox.SendAsync(HttpMethod.Delete, "/control/faults", null, "");
        Assert.Equal(200, (await sandbox.PayAsync("r1")).Status);
    }

    private static async Task<SortedDictionary<int, int>> OutcomesAsync(ulong seed, IEnumerable<int> calls, bool atOnce)
    {
        await using var sandbox = await Sandbox.StartAsync();
        await sandbox.FaultsAsync($$"""
            {"seed":{{seed}},"rules":[{"kind":"fail_after","probability":0.2,"status":502},{"kind":"fail_before","probability":0.2},{"kind":"rate_limit","probability":0.1}]}
            """);
        async Task<(int Call, int Status)> OneAsync(int call) => (call, (await sandbox.PayAsync($"r{call}")).Status);
        List<(int Call, int Status)> outcomes = [];
        if (atOnce)
            outcomes.AddRange(await Task.WhenAll(calls.Select(OneAsync)));
        else
            foreach (var call in calls)
                outcomes.Add(await OneAsync(call));
        return new(outcomes.ToDictionary(outcome => outcome.Call, outcome => outcome.Status));
    }
}
