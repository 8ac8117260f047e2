namespace Payments.Acquirer.Tests;

public sealed class IdempotencyTests
{
    [Fact]
    public async Task Pay_SameKeyAndBody_GetsTheFirstAnswerByteForByte()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var first = await sandbox.PayAsync("r1");
        await sandbox.OperateAsync(first.Field("id"), "refunds", "f1", 100);
        var again = await sandbox.PayAsync("r1");
        Assert.Equal(first.Text, again.Text);
        Assert.Equal("true", Assert.Single(again.Headers.GetValues("Idempotent-Replayed")));
        Assert.False(first.Headers.Contains("Idempotent-Replayed"));
    }

    [Fact]
    public async Task Pay_SameKeyOtherBody_IsRefused()
    {
        await using var sandbox = await Sandbox.StartAsync();
        await sandbox.PostAsync("/v1/payments", "k", Sandbox.Payment("r1"));
        var other = await sandbox.PostAsync("/v1/payments", "k", Sandbox.Payment("r1", amount: 1001));
        Assert.Equal((422, "idempotency_key_reused"), (other.Status, other.Error));
    }

    [Fact]
    public async Task Pay_SameReferenceOtherKey_IsRefused()
    {
        await using var sandbox = await Sandbox.StartAsync();
        await sandbox.PostAsync("/v1/payments", "k1", Sandbox.Payment("r1"));
        var other = await sandbox.PostAsync("/v1/payments", "k2", Sandbox.Payment("r1"));
        Assert.Equal((409, "reference_already_used"), (other.Status, other.Error));
        Assert.Single(await sandbox.JournalAsync());
    }

    [Fact]
    public async Task Pay_WithoutKey_IsRefused()
    {
        await using var sandbox = await Sandbox.StartAsync();
        Assert.Equal("idempotency_key_required", (await sandbox.PostAsync("/v1/payments", null, Sandbox.Payment("r1"))).Error);
    }

    [Fact]
    public async Task Pay_SameKeyFiftyAtOnce_ChargesOnce()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var replies = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => sandbox.PayAsync("r1")));
        Assert.Single(replies.Select(reply => reply.Text).Distinct());
        Assert.Single(await sandbox.JournalAsync());
    }

    [Fact]
    public async Task Refund_RefusedThenPossible_IsJudgedAfresh()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var id = (await sandbox.PayAsync("r1", capture: false)).Field("id");
        Assert.Equal("payment_not_refundable", (await sandbox.OperateAsync(id, "refunds", "f1", 10)).Error);
        await sandbox.OperateAsync(id, "captures", "c1");
        Assert.Equal("succeeded", (await sandbox.OperateAsync(id, "refunds", "f1", 10)).Field("status"));
    }
}
