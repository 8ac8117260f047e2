using System.Globalization;
using System.Text.Json;

namespace Payments.Functions.Tests;

/// <summary>Webhooks of the sandbox processor, as anybody on the network could send them.</summary>
public sealed class InboundWebhookTests(RunningApp app)
{
    private static readonly TimeProvider Clock = TimeProvider.System;

    [Fact]
    public async Task Receive_SignedEvent_IsAcknowledgedAgainAndAgain()
    {
        var body = Event("something.unheard_of", new { });
        var headers = StandardWebhook.Headers(app.WebhookSecret, "aevt_" + RunningApp.NewKey(), body, Clock.GetUtcNow());

        Assert.Equal(200, (await PostAsync("sandbox", body, headers)).Status);
        Assert.Equal(200, (await PostAsync("sandbox", body, headers)).Status);
    }

    [Fact]
    public async Task Receive_UnknownProvider_IsNotFound()
    {
        var body = Event("payment.captured", new { });

        var answer = await PostAsync("nobody", body, StandardWebhook.Headers(app.WebhookSecret, "e1", body, Clock.GetUtcNow()));

        Assert.Equal((404, "not_found"), (answer.Status, answer.Code));
    }

    [Fact]
    public async Task Receive_Unsigned_IsRefused()
    {
        var answer = await PostAsync("sandbox", Event("payment.captured", new { }));

        Assert.Equal((401, "signature_missing"), (answer.Status, answer.Code));
    }

    [Theory]
    [InlineData(-301, "signature_too_old")]
    [InlineData(301, "signature_too_new")]
    public async Task Receive_SignedTooLongAgoOrAhead_IsRefused(int seconds, string code)
    {
        var body = Event("payment.captured", new { });
        var headers = StandardWebhook.Headers(app.WebhookSecret, "e-" + seconds.ToString(CultureInfo.InvariantCulture), body, Clock.GetUtcNow().AddSeconds(seconds + 30 * Math.Sign(seconds)));

        var answer = await PostAsync("sandbox", body, headers);

        Assert.Equal((401, code), (answer.Status, answer.Code));
    }

    [Fact]
    public async Task Receive_BodyChangedAfterSigning_IsRefused()
    {
        var body = Event("payment.captured", new { amount = 1 });
        var headers = StandardWebhook.Headers(app.WebhookSecret, "e-changed", body, Clock.GetUtcNow());

        var answer = await PostAsync("sandbox", body.Replace("1", "2", StringComparison.Ordinal), headers);

        Assert.Equal((401, "signature_invalid"), (answer.Status, answer.Code));
    }

    [Fact]
    public async Task Receive_TooLargeBody_IsRefused()
    {
        var body = new string('x', 300_000);

        var answer = await PostAsync("sandbox", body, StandardWebhook.Headers(app.WebhookSecret, "e-large", body, Clock.GetUtcNow()));

        Assert.Equal((413, "body_too_large"), (answer.Status, answer.Code));
    }

    [Fact]
    public async Task Receive_SameCaptureReportedManyTimesAtOnce_BooksItOnce()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.ChargeAsync(10_000);
        var payment = await app.AcquirerAsync(HttpMethod.Get, $"/v1/payments/{charge.Text("provider_reference")}");
        var body = JsonSerializer.Serialize(new { id = "aevt_" + RunningApp.NewKey(), type = "payment.captured", created_at = Clock.GetUtcNow(), data = payment });

        // Each under an id of its own: what recognises the repetition is the payment, not the event.
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i =>
            PostAsync("sandbox", body, StandardWebhook.Headers(app.WebhookSecret, $"aevt_{RunningApp.NewKey()}{i}", body, Clock.GetUtcNow()))));
        var later = await merchant.ChargeAsync(10_000);

        Assert.All(answers, answer => Assert.Equal(200, answer.Status));
        Assert.Equal("captured", later.Text("status"));
        await RunningApp.EventuallyAsync(() => merchant.BalanceAsync(), balance => balance.Pending == 2 * 9_680, "both charges are booked once");
    }

    private Task<Answer> PostAsync(string provider, string body, params (string, string)[] headers) =>
        app.SendAsync(HttpMethod.Post, $"/webhooks/{provider}", null, body, null, headers);

    private static string Event(string type, object data) =>
        JsonSerializer.Serialize(new { id = "aevt_" + RunningApp.NewKey(), type, created_at = Clock.GetUtcNow(), data });
}
