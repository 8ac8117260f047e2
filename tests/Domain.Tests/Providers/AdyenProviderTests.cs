using System.Text.Json;
using Payments.Domain.Providers;
using Payments.Domain.Providers.Adyen;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Tests.Providers;

/// <summary>Adyen's contract, against stand-ins with the shapes of Checkout 71 and of its notifications.</summary>
public sealed class AdyenProviderTests
{
    private static readonly string Reference = Some.Reference.ToString();

    [Theory]
    [InlineData(true, PaymentResult.Succeeded)]
    [InlineData(false, PaymentResult.Authorized)]
    public async Task Charge_Authorised_IsCapturedIfItWasToBe(bool captureNow, PaymentResult expected)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, """
            {"pspReference":"PSP1","resultCode":"Authorised","additionalData":{"cardSummary":"1142","paymentMethod":"mc","cardIssuingCountry":"DE"}}
            """);

        var answer = await Provider(api).SendAsync(
            Some.Request() with { CaptureNow = captureNow, Customer = "customer_7", StatementDescriptor = "SHOP 12", ReturnUrl = "https://shop.example/back" }, CancellationToken.None);

        Assert.Equal(new PaymentAnswer(expected, "PSP1", Card: new CardDetails("mc", "1142", "DE")), answer);
        var request = Assert.Single(api.Requests);
        Assert.Equal(("POST", "/v71/payments"), (request.Method, request.Target));
        Assert.Equal(("AQE", $"{Some.Reference.Attempt.Value:N}"), (request.Headers["X-API-Key"], request.Headers["Idempotency-Key"]));
        Assert.True(request.Headers["Idempotency-Key"].Length <= 64);
        var body = JsonElement.Parse(request.Body);
        Assert.Equal((1050, "EUR"), (body.GetProperty("amount").GetProperty("value").GetInt64(), body.GetProperty("amount").GetProperty("currency").GetString()));
        Assert.Equal(captureNow ? $"{Reference}-auto" : Reference, body.GetProperty("reference").GetString());
        Assert.Equal(
            ("Shop", "pm_card_visa", "customer_7", "https://shop.example/back", "SHOP 12"),
            (body.GetProperty("merchantAccount").GetString(), body.GetProperty("paymentMethod").GetProperty("storedPaymentMethodId").GetString(), body.GetProperty("shopperReference").GetString(),
             body.GetProperty("returnUrl").GetString(), body.GetProperty("shopperStatement").GetString()));
        Assert.Equal(captureNow, body.TryGetProperty("captureDelayHours", out _));
        Assert.Equal(!captureNow, body.TryGetProperty("additionalData", out _));
        Assert.True(body.GetProperty("reference").GetString()!.Length <= 80);
    }

    [Theory]
    [InlineData("Refused", "2", DeclineCode.DoNotHonor)]
    [InlineData("Refused", "3", DeclineCode.DoNotHonor)]
    [InlineData("Error", "4", DeclineCode.ProcessingError)]
    [InlineData("Error", null, DeclineCode.ProcessingError)]
    [InlineData("Refused", "5", DeclineCode.RestrictedCard)]
    [InlineData("Refused", "6", DeclineCode.ExpiredCard)]
    [InlineData("Refused", "7", DeclineCode.InvalidAmount)]
    [InlineData("Refused", "8", DeclineCode.InvalidAccount)]
    [InlineData("Refused", "9", DeclineCode.IssuerUnavailable)]
    [InlineData("Refused", "10", DeclineCode.CardNotSupported)]
    [InlineData("Refused", "11", DeclineCode.AuthenticationFailed)]
    [InlineData("Refused", "12", DeclineCode.InsufficientFunds)]
    [InlineData("Cancelled", "16", DeclineCode.AuthenticationFailed)]
    [InlineData("Refused", "20", DeclineCode.Fraudulent)]
    [InlineData("Refused", "23", DeclineCode.NotPermitted)]
    [InlineData("Refused", "24", DeclineCode.IncorrectCvc)]
    [InlineData("Refused", "28", DeclineCode.LimitExceeded)]
    [InlineData("Refused", "38", DeclineCode.AuthenticationRequired)]
    [InlineData("Refused", "999", DeclineCode.DoNotHonor)]
    public async Task Charge_Refused_IsDeclinedInNeutralWords(string result, string? code, DeclineCode expected)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, $$"""{"pspReference":"PSP1","resultCode":"{{result}}"{{(code is null ? "" : $",\"refusalReasonCode\":\"{code}\",\"refusalReason\":\"Reason\"")}}}""");

        var answer = await Provider(api).SendAsync(Some.Request(), CancellationToken.None);

        Assert.Equal((PaymentResult.Declined, expected, "PSP1"), (answer.Result, answer.Decline, answer.Reference));
    }

    [Theory]
    [InlineData("""{"pspReference":"P","resultCode":"Pending"}""", PaymentResult.Pending)]
    [InlineData("""{"pspReference":"P","resultCode":"Received"}""", PaymentResult.Pending)]
    [InlineData("""{"resultCode":"RedirectShopper","action":{"type":"redirect","method":"GET","url":"https://checkoutshopper-test.adyen.com/x"}}""", PaymentResult.RequiresAction)]
    [InlineData("""{"resultCode":"RedirectShopper","action":{"type":"redirect","method":"POST","url":"https://x","data":{}}}""", PaymentResult.Unknown)]
    [InlineData("""{"resultCode":"ChallengeShopper","action":{"type":"threeDS2"}}""", PaymentResult.Unknown)]
    [InlineData("""{"pspReference":"P","resultCode":"PartiallyAuthorised"}""", PaymentResult.Unknown)]
    public async Task Charge_OtherResults_AreWhatTheySay(string body, PaymentResult expected)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, body);

        var answer = await Provider(api).SendAsync(Some.Request(), CancellationToken.None);

        Assert.Equal(expected, answer.Result);
        Assert.Equal(expected is PaymentResult.RequiresAction, answer.RedirectUrl is not null);
    }

    [Fact]
    public async Task Complete_WithTheResultOfTheRedirect_AuthorizesUnderAKeyOfItsOwn()
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, """{"pspReference":"PSP1","resultCode":"Authorised"}""");

        var answer = await Provider(api).CompleteAsync(Some.Request(), "X6Xtf", CancellationToken.None);

        Assert.Equal(PaymentResult.Succeeded, answer.Result);
        var request = Assert.Single(api.Requests);
        Assert.Equal(("/v71/payments/details", """{"details":{"redirectResult":"X6Xtf"}}"""), (request.Target, request.Body));
        Assert.Equal($"{Some.Reference.Attempt.Value:N}-details", request.Headers["Idempotency-Key"]);
        Assert.Equal(PaymentResult.Unknown, (await Provider(api).CompleteAsync(Some.Request(), null, CancellationToken.None)).Result);
    }

    [Theory]
    [InlineData(PaymentOperation.Capture, "captures", true)]
    [InlineData(PaymentOperation.Cancel, "cancels", false)]
    [InlineData(PaymentOperation.Refund, "refunds", true)]
    public async Task Modification_Received_IsPendingUntilItsWebhook(PaymentOperation operation, string path, bool withAmount)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(201, $$"""{"merchantAccount":"Shop","paymentPspReference":"PSP1","pspReference":"MOD1","reference":"{{Reference}}","status":"received"}""");

        var answer = await Provider(api).SendAsync(Some.Request(operation) with { PaymentReference = "PSP1" }, CancellationToken.None);

        Assert.Equal(new PaymentAnswer(PaymentResult.Pending, "MOD1"), answer);
        var request = Assert.Single(api.Requests);
        Assert.Equal($"/v71/payments/PSP1/{path}", request.Target);
        var body = JsonElement.Parse(request.Body);
        Assert.Equal((Reference, "Shop", withAmount), (body.GetProperty("reference").GetString(), body.GetProperty("merchantAccount").GetString(), body.TryGetProperty("amount", out _)));
    }

    [Theory]
    [InlineData(422, """{"status":422,"errorCode":"14_0408","message":"Structure invalid","errorType":"validation"}""", PaymentResult.Declined)]
    [InlineData(422, """{"status":422,"errorCode":"167","message":"Original pspReference required","errorType":"validation"}""", PaymentResult.Declined)]
    [InlineData(422, """{"status":422,"errorCode":"704","message":"request already processed or in progress","errorType":"validation"}""", PaymentResult.Unknown)]
    [InlineData(400, """{"status":400,"errorCode":"702","message":"Invalid JSON","errorType":"validation"}""", PaymentResult.Declined)]
    [InlineData(422, """{"status":422,"errorCode":"901","message":"Invalid Merchant Account","errorType":"security"}""", PaymentResult.NotSent)]
    [InlineData(422, """{"status":422,"errorCode":"905","message":"Payment details are not supported","errorType":"configuration"}""", PaymentResult.Declined)]
    [InlineData(422, """{"status":422,"errorCode":"1","message":"?","errorType":"internal"}""", PaymentResult.Unknown)]
    public async Task Send_Error_SaysWhetherItWasCarriedOut(int status, string body, PaymentResult expected)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(status, body);

        Assert.Equal(expected, (await Provider(api).SendAsync(Some.Request(), CancellationToken.None)).Result);
    }

    [Fact]
    public async Task Find_AnyOperation_IsUnknownForAdyenCannotBeAsked()
    {
        await using var api = await StandIn.StartAsync();

        foreach (var operation in Enum.GetValues<PaymentOperation>())
            Assert.Equal(PaymentResult.Unknown, (await Provider(api).FindAsync(Some.Request(operation), CancellationToken.None))?.Result);
        Assert.Empty(api.Requests);
    }

    [Theory]
    [InlineData("CLP", 500, 50000)]
    [InlineData("ISK", 500, 50000)]
    [InlineData("IDR", 50000, 500)]
    [InlineData("KWD", 1234, 1234)]
    public async Task Charge_CurrencyThatAdyenCountsOtherwise_IsConverted(string currency, long amount, long units)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, """{"resultCode":"Authorised"}""");

        await Provider(api).SendAsync(Some.Request() with { Amount = new Money(amount, Currency.Of(currency)) }, CancellationToken.None);

        Assert.Equal(units, JsonElement.Parse(api.Requests[0].Body).GetProperty("amount").GetProperty("value").GetInt64());
    }

    [Theory]
    [InlineData("AUTHORISATION", "true", "", "-auto", PaymentResult.Succeeded, null)]
    [InlineData("AUTHORISATION", "true", "", "", PaymentResult.Authorized, null)]
    [InlineData("AUTHORISATION", "false", "Not enough balance", "", PaymentResult.Declined, DeclineCode.InsufficientFunds)]
    [InlineData("AUTHORISATION", "false", "CVC Declined", "-auto", PaymentResult.Declined, DeclineCode.IncorrectCvc)]
    [InlineData("CAPTURE", "true", "", "", PaymentResult.Succeeded, null)]
    [InlineData("CAPTURE", "false", "Capture Failed", "", PaymentResult.Declined, DeclineCode.InvalidRequest)]
    [InlineData("CAPTURE_FAILED", "true", "", "", PaymentResult.Declined, DeclineCode.ProcessingError)]
    [InlineData("CANCELLATION", "true", "", "", PaymentResult.Succeeded, null)]
    [InlineData("CANCELLATION", "false", "Transaction already captured", "", PaymentResult.Declined, DeclineCode.InvalidRequest)]
    [InlineData("REFUND", "true", "", "", PaymentResult.Succeeded, null)]
    [InlineData("EXPIRE", "true", "", "", PaymentResult.Expired, null)]
    [InlineData("REFUND", "false", "Insufficient balance on payment", "", PaymentResult.Declined, DeclineCode.InvalidRequest)]
    [InlineData("REFUND_FAILED", "true", "", "", PaymentResult.Declined, DeclineCode.ProcessingError)]
    [InlineData("REFUNDED_REVERSED", "true", "Returned", "", PaymentResult.Declined, DeclineCode.ProcessingError)]
    [InlineData("POSTPONED_REFUND", "true", "", "", PaymentResult.Pending, null)]
    [InlineData("TECHNICAL_CANCEL", "true", "", "", PaymentResult.Succeeded, null)]
    public void Notification_NamesTheRequestItIsAbout(string code, string success, string reason, string mark, PaymentResult expected, DeclineCode? decline)
    {
        var reported = (PaymentReported)Map(code, Item(code, success, reason, Reference + mark))!;

        Assert.Equal((Some.Reference, expected, decline, "MOD1"), (reported.Reference, reported.Answer.Result, reported.Answer.Decline, reported.Answer.Reference));
    }

    [Fact]
    public void Notification_OfAPaymentOfAnotherSystem_IsIgnoredAndSaysWhy()
    {
        Assert.Equal(
            new EventIgnored("The payment MOD1 was not made by this platform: its merchantReference is not one of this platform's."),
            Map("AUTHORISATION", Item("AUTHORISATION", "true", "", "order 12")));
        Assert.IsType<EventIgnored>(Map("REPORT_AVAILABLE", Item("REPORT_AVAILABLE", "true", "", "")));
    }

    [Theory]
    [InlineData("REFUND", PaymentOperation.Refund, 1050, false)]
    [InlineData("CAPTURE", PaymentOperation.Capture, 1050, false)]
    [InlineData("CANCELLATION", PaymentOperation.Cancel, null, false)]
    [InlineData("REFUNDED_REVERSED", PaymentOperation.Refund, 1050, true)]
    public void Notification_OfAnOperationWithoutOurReference_NamesThePaymentAndTheAmount(string code, PaymentOperation operation, int? amount, bool takesBack)
    {
        var reported = Assert.IsType<OperationReported>(Map(code, Item(code, "true", "", "order 12")));

        Assert.Equal(
            new ReportedOperation("adyen", operation, "PSP1", amount is { } units ? new Money(units, Currency.Eur) : null) { TakesBack = takesBack }, reported.Told);
    }

    [Theory]
    [InlineData("cancel", PaymentOperation.Cancel)]
    [InlineData("refund", PaymentOperation.Refund)]
    [InlineData("", null)]
    public void Notification_OfACancelOrRefund_IsWhatItSays(string action, PaymentOperation? expected)
    {
        var item = Item("CANCEL_OR_REFUND", "true", "", Reference).Replace("\"hmacSignature\":\"x\"", $"\"modification.action\":\"{action}\"", StringComparison.Ordinal);

        if (expected is null)
            Assert.Throws<FormatException>(() => Map("CANCEL_OR_REFUND", item));
        else
            Assert.Equal(expected, Assert.IsType<PaymentReported>(Map("CANCEL_OR_REFUND", item)).Told!.Operation);
    }

    [Theory]
    [InlineData("SHOP & CO", false)]
    [InlineData("SHOP*1001", true)]
    [InlineData("TWENTY-TWO CHARACTERS.", true)]
    public async Task Descriptors_WhatAdyenDocuments_IsTaken(string descriptor, bool expected)
    {
        await using var api = await StandIn.StartAsync();

        Assert.Equal(expected, new PaymentProviders([Provider(api)]).RefuseDescriptor(descriptor, Mode.Live) is null);
    }

    [Fact]
    public void Notification_REFUNDED_REVERSED_AsAdyenSentIt_TakesTheRefundBack()
    {
        var item = JsonElement.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Providers", "Cases", "adyen-refunded-reversed.json")));

        var reported = Assert.IsType<PaymentReported>(new AdyenPaymentEvents("adyen").Map(StripeProviderTests.Event("adyen", "REFUNDED_REVERSED"), item));

        Assert.Equal((PaymentResult.Declined, PaymentOperation.Refund), (reported.Answer.Result, reported.Told!.Operation));
    }

    private static string Item(string code, string success, string reason, string reference) => $$"""
        {"additionalData":{"hmacSignature":"x"},"amount":{"currency":"EUR","value":1050},"eventCode":"{{code}}","eventDate":"2026-03-01T12:00:00+01:00","merchantAccountCode":"Shop",
         "merchantReference":"{{reference}}","originalReference":"PSP1","pspReference":"MOD1","reason":"{{reason}}","success":"{{success}}"}
        """;

    private static INeutralEvent? Map(string code, string item) => new AdyenPaymentEvents("adyen").Map(StripeProviderTests.Event("adyen", code), JsonElement.Parse(item));

    private static AdyenProvider Provider(StandIn api) => new("adyen", api.Http(), StandIn.Access(("api_key", "AQE"), ("merchant_account", "Shop")), "https://platform.example/back");
}
