using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Payments.Acquirer.Tests;

public sealed class WebhookTests
{
    [Fact]
    public async Task Pay_Captured_SendsOneSignedWebhook()
    {
        await using var listener = await WebhookListener.StartAsync();
        await using var sandbox = await Sandbox.StartAsync(listener.Settings);
        var payment = await sandbox.PayAsync("r1");
        var received = Assert.Single(await listener.WaitAsync(1));
        Assert.Equal(("payment.captured", payment.Text), (received.Type, received.Data.GetRawText()));
        Assert.Equal(received.Id, received.Json.GetProperty("id").GetString());
        Assert.Equal(Expected(received), received.Signature);
        var age = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() - long.Parse(received.Timestamp, CultureInfo.InvariantCulture);
        Assert.InRange(age, -1, 60);
        await sandbox.EventuallyAsync("/health", reply => reply.Amount("pending_webhooks") == 0);
    }

    [Fact]
    public void Sign_PublishedExample_MatchesIt()
    {
        // The example of the Standard Webhooks libraries: secret, id, timestamp and body with their known signature.
        Assert.True(WebhookSignature.TryParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", out var secret));
        var signature = WebhookSignature.Sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, """{"test": 2432232314}"""u8);
        Assert.Equal("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", signature);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("whsec_")]
    [InlineData("whsec_c2hvcnQ=")]
    [InlineData("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    public void TryParseSecret_NotASecret_IsRefused(string? text) => Assert.False(WebhookSignature.TryParseSecret(text, out _));

    [Fact]
    public async Task EachOperation_Done_TellsOfItselfWithItsReference()
    {
        await using var listener = await WebhookListener.StartAsync();
        await using var sandbox = await Sandbox.StartAsync(listener.Settings);
        var id = (await sandbox.PayAsync("r1", "tok_refund_pending", capture: false)).Field("id");
        await sandbox.OperateAsync(id, "captures", "c1", 400);
        await sandbox.OperateAsync(id, "cancels", "x1");
        await sandbox.OperateAsync(id, "refunds", "f1", 100);
        await sandbox.PayAsync("r2", "tok_decline_lost_card");
        await sandbox.PayAsync("r3", "tok_3ds_required");
        var all = await listener.WaitAsync(7);
        Assert.Equal(
            ["capture.succeeded c1", "payment.authorized r1", "payment.canceled x1", "payment.declined r2", "payment.requires_action r3", "refund.pending f1", "refund.succeeded f1"],
            all.Select(received => $"{received.Type} {received.Data.GetProperty("reference").GetString()}").Order(StringComparer.Ordinal));
        Assert.All(all.Where(received => received.Type.StartsWith("refund", StringComparison.Ordinal)), received => Assert.Equal("r1", received.Data.GetProperty("payment_reference").GetString()));
    }

    [Fact]
    public async Task Delivery_RefusedAtFirst_IsRepeatedWithTheSameIdUntilTaken()
    {
        await using var listener = await WebhookListener.StartAsync();
        var calls = 0;
        listener.Answer = _ => Interlocked.Increment(ref calls) < 3 ? 503 : 200;
        await using var sandbox = await Sandbox.StartAsync(listener.Settings);
        await sandbox.PayAsync("r1");
        var all = await listener.WaitAsync(3);
        Assert.Single(all.Select(received => (received.Id, received.Body)).Distinct());
        await sandbox.EventuallyAsync("/health", reply => reply.Amount("pending_webhooks") == 0);
    }

    [Fact]
    public async Task Delivery_UnderDuplicateAndDropFirst_ArrivesTwiceOrLater()
    {
        await using var listener = await WebhookListener.StartAsync();
        await using var sandbox = await Sandbox.StartAsync(listener.Settings);
        await sandbox.FaultsAsync("""{"webhooks":{"duplicate":1}}""");
        await sandbox.PayAsync("r1");
        Assert.Single((await listener.WaitAsync(2)).Select(received => received.Id).Distinct());
        await sandbox.FaultsAsync("""{"webhooks":{"drop_first":1}}""");
        await sandbox.PayAsync("r2");
        Assert.Single(await listener.WaitAsync(1, received => received.Data.GetProperty("reference").GetString() == "r2"));
    }

    [Fact]
    public async Task Delivery_Reordered_LosesNothing()
    {
        await using var listener = await WebhookListener.StartAsync();
        await using var sandbox = await Sandbox.StartAsync(listener.Settings);
        await sandbox.FaultsAsync("""{"webhooks":{"reorder":0.5,"reorder_window_milliseconds":400}}""");
        for (var i = 0; i < 30; i++)
            await sandbox.PayAsync($"r{i}");
        var order = (await listener.WaitAsync(30)).Select(received => received.Data.GetProperty("reference").GetString()!).ToList();
        Assert.Equal(30, order.Distinct().Count());
        Assert.NotEqual(order, order.OrderBy(reference => int.Parse(reference[1..], CultureInfo.InvariantCulture)));
    }

    [Fact]
    public async Task Pay_WebhookFirstToken_AnswersAfterTheWebhook()
    {
        await using var listener = await WebhookListener.StartAsync();
        await using var sandbox = await Sandbox.StartAsync(listener.Settings);
        await sandbox.PayAsync("r1", "tok_webhook_first");
        Assert.Single(listener.All);
    }

    [Fact]
    public async Task Pay_ReceiverThatHangs_IsNotHeldUp()
    {
        await using var listener = await WebhookListener.StartAsync();
        using var release = new ManualResetEventSlim();
        listener.Answer = _ => release.Wait(TimeSpan.FromSeconds(30)) ? 200 : 500;
        await using var sandbox = await Sandbox.StartAsync([.. listener.Settings, "WebhookConcurrency=2"]);
        for (var i = 0; i < 100; i++)
            Assert.Equal(200, (await sandbox.PayAsync($"r{i}")).Status);
        Assert.Empty(listener.All);
        release.Set();
        await listener.WaitAsync(100);
    }

    [Fact]
    public async Task Restart_WithUndeliveredWebhooks_DeliversThem()
    {
        var folder = Sandbox.NewFolder();
        await using var listener = await WebhookListener.StartAsync();
        listener.Answer = received => received.Data.GetProperty("reference").GetString() == "r1" ? 200 : 500;
        var first = await Sandbox.StartAsync(folder, listener.Settings);
        await first.PayAsync("r1");
        await first.EventuallyAsync("/health", reply => reply.Amount("journal_seq") == 2);
        await first.PayAsync("r2");
        await listener.WaitAsync(1, received => received.Data.GetProperty("reference").GetString() == "r2");
        await first.StopAsync();

        listener.All.Clear();
        listener.Answer = _ => 200;
        await using var second = await Sandbox.StartAsync(folder, listener.Settings);
        await listener.WaitAsync(1);
        await second.EventuallyAsync("/health", reply => reply.Amount("pending_webhooks") == 0);
        Assert.Equal("r2", Assert.Single(listener.All).Data.GetProperty("reference").GetString());
    }

    private static string Expected(Received received)
    {
        var secret = Convert.FromBase64String(WebhookListener.Secret["whsec_".Length..]);
        var signed = Encoding.UTF8.GetBytes($"{received.Id}.{received.Timestamp}.{received.Body}");
        return "v1," + Convert.ToBase64String(HMACSHA256.HashData(secret, signed));
    }
}
