using System.Text.Json.Nodes;
using Payments.Kit;

namespace Payments.Crash.Tests;

/// <summary>
/// The app is killed at every step of every operation and started again. In the end the acquirer has had each effect at most once, our books say what its
/// journal says, and the same request under the same key gets one answer, byte for byte.
/// </summary>
public sealed class CrashMatrixTests
{
    private const long Amount = 10_000;
    private const long Part = 4_000;

    private static readonly string[] Operations = ["charge", "capture", "cancel", "refund"];
    private static readonly string[] Points = ["intent_written", "intent_committed", "answered", "outcome_decided", "outcome_committed"];

    [Fact]
    public async Task Kill_AtEveryStepOfEveryOperation_LeavesOneEffectAndOneAnswer()
    {
        await using var app = await CrashingApp.PrepareAsync();
        var cases = new List<Case>();
        foreach (var operation in Operations)
        {
            foreach (var point in Points)
            {
                await app.StartAsync($"{operation}:{point}");
                cases.Add(await CrashAsync(app, operation, point));
                await app.DiedAsync();
            }
        }

        await app.StartAsync(null);
        await app.LetTimePassAsync();
        await Eventually.HoldsAsync(
            async () => (await app.GetAsync("/v1/attempts?state=unsettled"))["data"]!.AsArray().Count == 0, TimeSpan.FromSeconds(120), "every attempt is settled");

        foreach (var crashed in cases)
            await CheckAsync(app, crashed);
        var trial = await app.GetAsync("/v1/ledger/trial_balance?mode=test");
        Assert.True(trial["balanced"]!.GetValue<bool>(), trial.ToJsonString());
    }

    private static async Task<Case> CrashAsync(CrashingApp app, string operation, string point)
    {
        var name = $"{operation}-{point}";
        var merchant = JsonNode.Parse((await app.PostAsync("/v1/merchants", null, $"m-{name}", new { name, country = "DE", payout_delay_days = 5 }))!.Value.Body)!["id"]!.GetValue<string>();
        var issued = (await app.PostAsync($"/v1/merchants/{merchant}/api_keys", null, $"k-{name}", new { mode = "test" }))!.Value.Body;
        var key = JsonNode.Parse(issued)!["secret"]!.GetValue<string>();
        merchant = JsonNode.Parse(issued)!["merchant"]!.GetValue<string>();
        string? charge = null;
        if (operation != "charge")
        {
            var method = operation == "refund" ? "automatic" : "manual";
            var made = await app.PostAsync("/v1/charges", key, $"c-{name}", new { amount = Amount, currency = "EUR", payment_method = "tok_visa", capture_method = method });
            charge = JsonNode.Parse(made!.Value.Body)!["id"]!.GetValue<string>();
        }

        var (path, body) = operation switch
        {
            "charge" => ("/v1/charges", (object)new { amount = Amount, currency = "EUR", payment_method = "tok_visa" }),
            "capture" => ($"/v1/charges/{charge}/capture", new { amount = Part }),
            "cancel" => ($"/v1/charges/{charge}/cancel", new { }),
            _ => ("/v1/refunds", new { charge, amount = Part }),
        };
        var crashed = new Case(operation, point, merchant, key, charge, path, body);
        Assert.Null(await app.PostAsync(path, key, crashed.IdempotencyKey, body));
        return crashed;
    }

    private static async Task CheckAsync(CrashingApp app, Case crashed)
    {
        var (operation, point) = (crashed.Operation, crashed.Point);
        var first = await app.PostAsync(crashed.Path, crashed.Key, crashed.IdempotencyKey, crashed.Body);
        var again = await app.PostAsync(crashed.Path, crashed.Key, crashed.IdempotencyKey, crashed.Body);

        // What the provider never heard of is unknown for as long as it might still be under way: whoever asks about it in that time has 202 kept as the answer.
        Assert.True(first is { Status: 200 or 201 } || (first is { Status: 202 } && point == "intent_committed"), $"{crashed}: {first}");
        Assert.Equal(first!.Value.Body, again!.Value.Body);
        Assert.True(again.Value.Replayed, $"{crashed} was done again: {again}");

        // Rolled back with the crash, the request was new; everything later was finished without its caller.
        Assert.True(first.Value.Replayed == (point != "intent_written"), $"{crashed}: {first}");

        // The provider heard nothing of an attempt that ended before the call: then it is known not to have been carried out.
        var done = point != "intent_committed";
        var answer = JsonNode.Parse(first.Value.Body)!;
        var id = crashed.Charge ?? answer["id"]!.GetValue<string>();
        var charge = await app.GetAsync($"/v1/charges/{id}", crashed.Key);
        var effects = (await app.EffectsAsync()).Where(e => e["group"]!.GetValue<string>().StartsWith($"pf_{crashed.Merchant["mer_".Length..]}_", StringComparison.Ordinal)).ToList();

        var taken = operation switch
        {
            "charge" => done ? Amount : 0,
            "capture" => done ? Part : 0,
            "cancel" => 0,
            _ => Amount,
        };
        var canceled = operation == "cancel" && done ? Amount : 0;
        var refunded = operation == "refund" && done ? Part : 0;
        var status = (operation, done) switch
        {
            ("charge", true) or ("refund", _) => "captured",
            ("charge", false) => "declined",
            ("capture", true) => "partially_captured",
            ("cancel", true) => "canceled",
            _ => "authorized",
        };
        Assert.True((status, taken, canceled, refunded) == (Text(charge, "status"), Number(charge, "amount_captured"), Number(charge, "amount_canceled"), Number(charge, "amount_refunded")), $"{crashed}: {charge.ToJsonString()}");

        // At the acquirer: one payment at most, with the same sums, each operation once.
        Assert.Equal(operation == "charge" && !done ? 0 : 1, effects.Count);
        Assert.Equal(taken, effects.Sum(e => Number(e, "captured_amount")));
        Assert.Equal(canceled, effects.Sum(e => Number(e, "canceled_amount")));
        Assert.Equal(refunded, effects.Sum(e => Number(e, "refunded_amount")));
        Assert.Equal(refunded > 0 ? 1 : 0, effects.Sum(e => Number(e, "refunds")));

        // And in the books: gross, less 2.9 % and 30 for each capture.
        var balance = (await app.GetAsync("/v1/balance", crashed.Key))["balances"]!.AsArray().FirstOrDefault();
        var fee = taken == 0 ? 0 : (taken * 29 / 1000) + 30;
        Assert.Equal((taken - fee, -refunded), (balance is null ? 0 : Number(balance, "pending"), balance is null ? 0 : Number(balance, "available")));
    }

    private static string Text(JsonNode node, string name) => node[name]!.GetValue<string>();

    private static long Number(JsonNode node, string name) => node[name]!.GetValue<long>();

    private sealed record Case(string Operation, string Point, string Merchant, string Key, string? Charge, string Path, object Body)
    {
        public string IdempotencyKey => $"{Operation}-{Point}";

        public override string ToString() => $"{Operation} killed at {Point}";
    }
}
