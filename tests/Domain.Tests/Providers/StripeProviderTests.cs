using System.Text.Json;
using Payments.Domain.Providers;
using Payments.Domain.Providers.Stripe;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Tests.Providers;

/// <summary>Stripe's contract, against stand-ins with the shapes of its API of the pinned version.</summary>
public sealed class StripeProviderTests
{
    private static readonly string Reference = Some.Reference.ToString();

    private static readonly string Captured = Intent("succeeded", """
        "latest_charge":{"id":"ch_1","payment_method_details":{"type":"card","card":{"brand":"visa","last4":"4242","country":"US"}}}
        """);

    [Fact]
    public async Task Charge_Automatic_IsOnePaymentIntentConfirmedAndCaptured()
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Captured);

        var answer = await Provider(api).SendAsync(
            Some.Request() with { StatementDescriptor = "SHOP 12", ReturnUrl = "https://shop.example/back?a=1&b=2" }, CancellationToken.None);

        Assert.Equal(new PaymentAnswer(PaymentResult.Succeeded, "pi_1", Card: new CardDetails("visa", "4242", "US")), answer);
        var request = Assert.Single(api.Requests);
        Assert.Equal(("POST", "/v1/payment_intents"), (request.Method, request.Target));
        Assert.Equal(Reference, request.Headers["Idempotency-Key"]);
        Assert.Equal("2024-06-20", request.Headers["Stripe-Version"]);
        Assert.Equal("Bearer sk_test_x", request.Headers["Authorization"]);
        Assert.Equal("application/x-www-form-urlencoded", request.Headers["Content-Type"]);
        Assert.Equal("acct_1", request.Headers["Stripe-Account"]);
        Assert.Equal(
            new Dictionary<string, string>
            {
                ["amount"] = "1050",
                ["currency"] = "eur",
                ["confirm"] = "true",
                ["payment_method_types[]"] = "card",
                ["capture_method"] = "automatic",
                ["metadata[reference]"] = Reference,
                ["statement_descriptor_suffix"] = "SHOP 12",
                ["expand[]"] = "latest_charge",
                ["payment_method"] = "pm_card_visa",
                ["return_url"] = "https://shop.example/back?a=1&b=2",
            },
            request.Form);
    }

    [Fact]
    public async Task Charge_Manual_IsAuthorizedAndAsksForSeveralCaptures()
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Intent("requires_capture", """
            "latest_charge":{"id":"ch_1","payment_method_details":{"card":{"brand":"visa","last4":"4242","country":"US","capture_before":1772971200}}}
            """));

        var answer = await Provider(api).SendAsync(Some.Request() with { CaptureNow = false, Token = "tok_visa" }, CancellationToken.None);

        Assert.Equal((PaymentResult.Authorized, "pi_1", DateTimeOffset.FromUnixTimeSeconds(1772971200)), (answer.Result, answer.Reference, answer.ExpiresAt));
        var form = api.Requests[0].Form;
        Assert.Equal(("manual", "if_available"), (form["capture_method"], form["payment_method_options[card][request_multicapture]"]));
        Assert.Equal(("card", "tok_visa", "true"), (form["payment_method_data[type]"], form["payment_method_data[card][token]"], form["error_on_requires_action"]));
    }

    [Fact]
    public async Task Charge_NeedsAuthentication_CarriesTheAddressToSendTheCustomerTo()
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Intent("requires_action", """
            "next_action":{"type":"redirect_to_url","redirect_to_url":{"url":"https://hooks.stripe.com/3d_secure_2?x=1","return_url":"https://shop.example/"}}
            """));

        var answer = await Provider(api).SendAsync(Some.Request() with { ReturnUrl = "https://shop.example/" }, CancellationToken.None);

        Assert.Equal((PaymentResult.RequiresAction, "https://hooks.stripe.com/3d_secure_2?x=1"), (answer.Result, answer.RedirectUrl));
    }

    [Fact]
    public async Task Complete_AuthenticationFailed_IsDeclined()
    {
        await using var api = await StandIn.StartAsync();
        var failed = Intent("requires_payment_method", """
            "last_payment_error":{"type":"invalid_request_error","code":"payment_intent_authentication_failure","payment_method":{"card":{"brand":"visa","last4":"3155","country":"FR"}}}
            """);
        api.Answers(200, $$"""{"object":"search_result","data":[{{failed}}],"has_more":false}""").Answers(200, failed);

        IPaymentProvider provider = Provider(api);
        var answer = await provider.CompleteAsync(Some.Request(), null, CancellationToken.None);

        Assert.Equal((PaymentResult.Declined, DeclineCode.AuthenticationFailed, "FR"), (answer.Result, answer.Decline, answer.Card?.Country));
    }

    [Theory]
    [InlineData("insufficient_funds", DeclineCode.InsufficientFunds)]
    [InlineData("generic_decline", DeclineCode.DoNotHonor)]
    [InlineData("call_issuer", DeclineCode.DoNotHonor)]
    [InlineData("a_code_of_next_year", DeclineCode.DoNotHonor)]
    [InlineData("lost_card", DeclineCode.LostCard)]
    [InlineData("stolen_card", DeclineCode.StolenCard)]
    [InlineData("pickup_card", DeclineCode.RestrictedCard)]
    [InlineData("fraudulent", DeclineCode.Fraudulent)]
    [InlineData("incorrect_cvc", DeclineCode.IncorrectCvc)]
    [InlineData("expired_card", DeclineCode.ExpiredCard)]
    [InlineData("card_not_supported", DeclineCode.CardNotSupported)]
    [InlineData("currency_not_supported", DeclineCode.CurrencyNotSupported)]
    [InlineData("invalid_account", DeclineCode.InvalidAccount)]
    [InlineData("issuer_not_available", DeclineCode.IssuerUnavailable)]
    [InlineData("card_velocity_exceeded", DeclineCode.LimitExceeded)]
    [InlineData("processing_error", DeclineCode.ProcessingError)]
    [InlineData("authentication_required", DeclineCode.AuthenticationRequired)]
    [InlineData("transaction_not_allowed", DeclineCode.NotPermitted)]
    [InlineData("invalid_amount", DeclineCode.InvalidAmount)]
    public async Task Charge_CardError_IsDeclinedInNeutralWords(string code, DeclineCode expected)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(402, $$$$$"""
            {"error":{"type":"card_error","code":"card_declined","decline_code":"{{{{{code}}}}}","message":"Your card was declined.","payment_intent":{"id":"pi_1","status":"requires_payment_method"},
             "payment_method":{"card":{"brand":"visa","last4":"0002","country":"US"}}}}
            """);

        var answer = await Provider(api).SendAsync(Some.Request(), CancellationToken.None);

        Assert.Equal((PaymentResult.Declined, expected, "pi_1", code), (answer.Result, answer.Decline, answer.Reference, answer.Detail));
        Assert.Equal("0002", answer.Card?.Last4);
    }

    [Theory]
    [InlineData(400, """{"error":{"type":"invalid_request_error","code":"parameter_invalid_integer"}}""", PaymentResult.Declined)]
    [InlineData(404, """{"error":{"type":"invalid_request_error","code":"resource_missing"}}""", PaymentResult.Declined)]
    [InlineData(402, """{"error":{"type":"card_error","code":"expired_card"}}""", PaymentResult.Declined)]
    [InlineData(400, """{"error":{"type":"idempotency_error"}}""", PaymentResult.Unknown)]
    [InlineData(409, """{"error":{"type":"invalid_request_error","code":"idempotency_key_in_use"}}""", PaymentResult.Unknown)]
    [InlineData(409, """{"error":{"type":"invalid_request_error","code":"lock_timeout"}}""", PaymentResult.NotSent)]
    [InlineData(418, """{"error":{"type":"teapot_error"}}""", PaymentResult.Unknown)]
    public async Task Send_Error_SaysWhetherItWasCarriedOut(int status, string body, PaymentResult expected)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(status, body);

        Assert.Equal(expected, (await Provider(api).SendAsync(Some.Request(), CancellationToken.None)).Result);
    }

    [Fact]
    public async Task Send_TheSameAgain_IsTheSameRequestUnderTheSameKey()
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Captured);
        var provider = Provider(api);

        var first = await provider.SendAsync(Some.Request(), CancellationToken.None);
        var second = await provider.SendAsync(Some.Request(), CancellationToken.None);

        Assert.Equal(first, second);
        Assert.Equal((api.Requests[0].Body, api.Requests[0].Headers["Idempotency-Key"]), (api.Requests[1].Body, api.Requests[1].Headers["Idempotency-Key"]));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Capture_Part_LeavesItsMarkAndKeepsTheRestUnlessItIsFinal(bool isFinal, bool keepsRest)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Intent("succeeded", $$"""
            "metadata":{"reference":"pf_other","{{Mark}}":"400"}
            """));

        var answer = await Provider(api).SendAsync(
            Some.Request(PaymentOperation.Capture) with { Amount = new Money(400, Currency.Eur), IsFinal = isFinal }, CancellationToken.None);

        Assert.Equal(PaymentResult.Succeeded, answer.Result);
        var request = Assert.Single(api.Requests);
        Assert.Equal("/v1/payment_intents/pi_1/capture", request.Target);
        Assert.Equal(("400", "400", Reference), (request.Form["amount_to_capture"], request.Form[$"metadata[{Mark}]"], request.Form["metadata[capture]"]));
        Assert.Equal(keepsRest, request.Form.GetValueOrDefault("final_capture") == "false");
        Assert.True(Mark.Length <= 40);
    }

    [Theory]
    [InlineData("succeeded", true, PaymentResult.Succeeded)]
    [InlineData("requires_capture", true, PaymentResult.Succeeded)]
    [InlineData("requires_capture", false, null)]
    public async Task FindCapture_ByItsMark_KnowsForSure(string status, bool marked, PaymentResult? expected)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Intent(status, marked ? $$"""
            "metadata":{"{{Mark}}":"400"}
            """ : "\"metadata\":{\"capture_of_another\":\"1\"}"));

        Assert.Equal(expected, (await Provider(api).FindAsync(Some.Request(PaymentOperation.Capture), CancellationToken.None))?.Result);
        Assert.Equal("/v1/payment_intents/pi_1", api.Requests[0].Target);
    }

    [Theory]
    [InlineData("canceled", PaymentResult.Succeeded)]
    [InlineData("succeeded", PaymentResult.Declined)]
    [InlineData("processing", PaymentResult.Unknown)]
    [InlineData("requires_capture", null)]
    public async Task FindCancel_ByThePaymentsStatus_SaysWhatIsKnown(string status, PaymentResult? expected)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Intent(status));

        Assert.Equal(expected, (await Provider(api).FindAsync(Some.Request(PaymentOperation.Cancel), CancellationToken.None))?.Result);
    }

    [Theory]
    [InlineData("succeeded", null, PaymentResult.Succeeded, null)]
    [InlineData("pending", null, PaymentResult.Pending, null)]
    [InlineData("requires_action", null, PaymentResult.Pending, null)]
    [InlineData("failed", "expired_or_canceled_card", PaymentResult.Declined, DeclineCode.ExpiredCard)]
    [InlineData("canceled", null, PaymentResult.Declined, DeclineCode.ProcessingError)]
    public async Task Refund_Status_IsReadFromTheAnswerAndFromTheList(string status, string? reason, PaymentResult expected, DeclineCode? decline)
    {
        await using var api = await StandIn.StartAsync();
        var refund = $$$"""{"id":"re_1","object":"refund","status":"{{{status}}}","failure_reason":{{{JsonSerializer.Serialize(reason)}}},"metadata":{"reference":"{{{Reference}}}"}}""";
        api.Answers(200, refund)
            .Answers(200, """{"data":[{"id":"re_9","status":"succeeded","metadata":{}}],"has_more":true}""")
            .Answers(200, $$"""{"data":[{{refund}}],"has_more":false}""");
        var request = Some.Request(PaymentOperation.Refund) with { Amount = new Money(300, Currency.Eur) };

        var sent = await Provider(api).SendAsync(request, CancellationToken.None);
        var found = await Provider(api).FindAsync(request, CancellationToken.None);

        Assert.Equal((expected, decline), (sent.Result, sent.Decline));
        Assert.Equal(sent, found);
        Assert.Equal(("pi_1", "300", Reference), (api.Requests[0].Form["payment_intent"], api.Requests[0].Form["amount"], api.Requests[0].Form["metadata[reference]"]));
        Assert.Equal("/v1/refunds?payment_intent=pi_1&limit=100", api.Requests[1].Target);
        Assert.Equal("/v1/refunds?payment_intent=pi_1&limit=100&starting_after=re_9", api.Requests[2].Target);
    }

    [Fact]
    public async Task FindCharge_TheSearchLagsBehind_ReadsWhatWasMadeAtThatTime()
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, """{"object":"search_result","data":[],"has_more":false}""")
            .Answers(200, """{"data":[{"id":"pi_9","status":"succeeded","metadata":{}}],"has_more":true}""")
            .Answers(200, $$"""{"data":[{{Captured}}],"has_more":false}""");

        var answer = await Provider(api).FindAsync(Some.Request(), CancellationToken.None);

        Assert.Equal((PaymentResult.Succeeded, "pi_1"), (answer!.Result, answer.Reference));
        Assert.Contains(Uri.EscapeDataString($"metadata['reference']:'{Reference}'"), api.Requests[0].Target, StringComparison.Ordinal);
        var made = Some.Start.ToUnixTimeSeconds();
        Assert.Contains($"created[gte]={made - 120}&created[lte]={made + 300}", api.Requests[1].Target, StringComparison.Ordinal);
        Assert.Contains("starting_after=pi_9", api.Requests[2].Target, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FindCharge_NeitherSearchedNorListed_WasNeverThere()
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, """{"data":[],"has_more":false}""");

        Assert.Null(await Provider(api).FindAsync(Some.Request(), CancellationToken.None));
    }

    [Fact]
    public async Task FindCharge_ListWithoutAnEnd_IsUnknown()
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, """{"data":[{"id":"pi_9","status":"succeeded","metadata":{}}],"has_more":true}""");

        Assert.Equal(PaymentResult.Unknown, (await Provider(api).FindAsync(Some.Request(), CancellationToken.None))!.Result);
    }

    [Theory]
    [InlineData("JPY", 500, "500")]
    [InlineData("ISK", 500, "50000")]
    [InlineData("UGX", 500, "50000")]
    [InlineData("KWD", 1230, "1230")]
    public async Task Charge_CurrencyThatStripeCountsOtherwise_IsConverted(string currency, long amount, string units)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Captured);

        await Provider(api).SendAsync(Some.Request() with { Amount = new Money(amount, Currency.Of(currency)) }, CancellationToken.None);

        Assert.Equal(units, api.Requests[0].Form["amount"]);
    }

    [Fact]
    public async Task Charge_AmountThatStripeCannotCount_IsDeclinedWithoutBeingSent()
    {
        await using var api = await StandIn.StartAsync();

        var answer = await Provider(api).SendAsync(Some.Request() with { Amount = new Money(1234, Currency.Kwd) }, CancellationToken.None);

        Assert.Equal((PaymentResult.Declined, DeclineCode.InvalidAmount), (answer.Result, answer.Decline));
        Assert.Empty(api.Requests);
    }

    [Theory]
    [InlineData("payment_intent.succeeded", "succeeded", "", PaymentResult.Succeeded)]
    [InlineData("payment_intent.amount_capturable_updated", "requires_capture", "", PaymentResult.Authorized)]
    [InlineData("payment_intent.requires_action", "requires_action", "", PaymentResult.RequiresAction)]
    [InlineData("payment_intent.processing", "processing", "", PaymentResult.Pending)]
    [InlineData("payment_intent.payment_failed", "requires_payment_method", "\"last_payment_error\":{\"type\":\"card_error\",\"decline_code\":\"lost_card\"}", PaymentResult.Declined)]
    [InlineData("payment_intent.canceled", "canceled", "\"cancellation_reason\":\"requested_by_customer\"", PaymentResult.Canceled)]
    [InlineData("payment_intent.canceled", "canceled", "\"cancellation_reason\":\"automatic\"", PaymentResult.Expired)]
    [InlineData("payment_intent.created", "requires_confirmation", "", null)]
    public void Event_OfAPaymentIntent_TellsHowItsChargeStands(string type, string status, string more, PaymentResult? expected)
    {
        var reported = Map(type, Intent(status, more)) as PaymentReported;

        Assert.Equal(expected, reported?.Answer.Result);
        Assert.True(reported is null || reported.Reference == Some.Reference);
    }

    [Fact]
    public void Event_AfterACapture_TellsOfTheCapture()
    {
        var capture = new AttemptReference(Some.Reference.Merchant, PrefixedId.New<AttemptId>(Some.Start));

        var reported = (PaymentReported)Map("payment_intent.succeeded", Intent("succeeded", $$$"""
            "metadata":{"reference":"{{{Reference}}}","capture":"{{{capture}}}","capture_{{{capture.Attempt.Value:N}}}":"400"}
            """))!;

        Assert.Equal((capture, PaymentResult.Succeeded), (reported.Reference, reported.Answer.Result));
    }

    [Theory]
    [InlineData("refund.created", "pending", PaymentResult.Pending)]
    [InlineData("refund.updated", "succeeded", PaymentResult.Succeeded)]
    [InlineData("refund.failed", "failed", PaymentResult.Declined)]
    [InlineData("charge.refund.updated", "failed", PaymentResult.Declined)]
    public void Event_OfARefund_TellsHowItStands(string type, string status, PaymentResult expected)
    {
        var reported = (PaymentReported)Map(type, $$$"""{"id":"re_1","status":"{{{status}}}","metadata":{"reference":"{{{Reference}}}"}}""")!;

        Assert.Equal((Some.Reference, expected), (reported.Reference, reported.Answer.Result));
    }

    [Fact]
    public void Event_OfAPaymentOfAnotherSystem_IsIgnoredAndSaysWhy()
    {
        var ignored = Assert.IsType<EventIgnored>(Map("payment_intent.succeeded", """{"id":"pi_2","status":"succeeded","metadata":{}}"""));
        Assert.Equal("The payment pi_2 was not made by this platform: its metadata has no reference of this platform.", ignored.Reason);
        Assert.IsType<EventIgnored>(Map("charge.succeeded", """{"id":"ch_2"}"""));
        Assert.IsType<EventIgnored>(Map("charge.refunded", """{"id":"ch_2","amount_refunded":100,"currency":"eur","payment_intent":null}"""));
        Assert.IsType<EventIgnored>(
            Map("refund.created", """{"id":"re_3","status":"succeeded","amount":100,"currency":"eur","charge":"ch_2","payment_intent":null}"""));
    }

    [Fact]
    public void Event_OfARefundMadeInTheDashboard_NamesThePaymentAndTheAmount()
    {
        var reported = Assert.IsType<OperationReported>(
            Map("refund.created", """{"id":"re_2","status":"succeeded","amount":400,"currency":"eur","payment_intent":"pi_1","metadata":{}}"""));

        Assert.Equal(new ReportedOperation("stripe", PaymentOperation.Refund, "pi_1", Eur(400)), reported.Told);
        Assert.Equal((PaymentResult.Succeeded, "re_2"), (reported.Answer.Result, reported.Answer.Reference));
    }

    [Theory]
    [InlineData("manual", "succeeded", 400, true)]
    [InlineData("manual", "requires_capture", 400, false)]
    [InlineData("automatic", "succeeded", 1050, null)]
    [InlineData("manual", "requires_capture", 0, null)]
    public void Event_OfAPaymentIntent_SaysHowMuchIsCapturedInAll(string method, string status, long received, bool? isFinal)
    {
        var reported = Assert.IsType<PaymentReported>(
            Map("payment_intent.succeeded", Intent(status, $"\"capture_method\":\"{method}\",\"currency\":\"eur\",\"amount_received\":{received}")));

        Assert.Equal(isFinal is { } final ? new ReportedCapture("stripe", Some.Reference, Eur(received), final) : null, reported.Captured);
    }

    [Fact]
    public void Event_OfAllRefunds_NamesTheirSum() =>
        Assert.Equal(
            new RefundedInAll("stripe", "pi_1", Eur(400)), Map("charge.refunded", """{"id":"ch_1","object":"charge","payment_intent":"pi_1","amount_refunded":400,"currency":"eur"}"""));

    [Theory]
    [InlineData(null, "SHOP*1001", '*')]
    [InlineData(null, "SHOP & CO", null)]
    [InlineData(null, "EIGHTEEN CHARS 123", null)]
    [InlineData(null, "NINETEEN CHARS 1234", 'l')]
    [InlineData("RUNCLUB", "THIRTEEN 1234", null)]
    [InlineData("RUNCLUB", "FOURTEEN 12345", 'l')]
    [InlineData("A VERY LONG ONE", "TEN CHAR 1", null)]
    public async Task Descriptors_WhatStripeDocuments_IsTaken(string? prefix, string descriptor, char? refused)
    {
        await using var api = await StandIn.StartAsync();
        var provider = new StripeProvider("stripe", api.Http(), StandIn.Access(("secret_key", "sk_test_x")), prefix);

        var refusal = new PaymentProviders([provider]).RefuseDescriptor(descriptor, Mode.Live);

        Assert.Equal(refused is null, refusal is null);
        if (refused is not null)
            Assert.Contains(refused is 'l' ? "at most" : $"'{refused}'", refusal, StringComparison.Ordinal);
    }

    /// <summary>A charge goes only to providers of its own mode, so only these decide about its descriptor.</summary>
    [Fact]
    public async Task RefuseDescriptor_OfAProviderOfTheOtherMode_DoesNotCount()
    {
        await using var api = await StandIn.StartAsync();
        var provider = new StripeProvider("stripe", api.Http(), StandIn.Access(("secret_key", "sk_test_x")), "A VERY LONG ONE");
        var other = new StripeProvider("stripe_live", api.Http(), StandIn.Access(("secret_key", "sk_live_x")), null);
        var modes = new Dictionary<string, Mode> { ["stripe"] = Mode.Test, ["stripe_live"] = Mode.Live };
        var providers = new PaymentProviders([provider, other], "stripe_live", "stripe", modes);

        Assert.NotNull(providers.RefuseDescriptor("TWELVE CHARS", Mode.Test));
        Assert.Null(providers.RefuseDescriptor("TWELVE CHARS", Mode.Live));
        Assert.Equal(("stripe_live", "stripe"), (providers.DefaultOf(Mode.Live), providers.DefaultOf(Mode.Test)));
        Assert.Throws<InvalidOperationException>(() => new PaymentProviders([provider, other], "stripe", "stripe", modes));
    }

    private static Money Eur(long amount) => new(amount, Currency.Eur);

    private static string Mark => $"capture_{Some.Reference.Attempt.Value:N}";

    private static INeutralEvent? Map(string type, string json)
    {
        var payload = JsonElement.Parse($$"""{"id":"evt_1","type":"{{type}}","data":{"object":{{json}} } }""");
        return new StripePaymentEvents("stripe").Map(Event("stripe", type), payload);
    }

    internal static ProviderEvent Event(string provider, string type) => new(
        Guid.Empty, provider, "evt_1", type, ProviderEventStatus.Received, 0, null, null, Some.Start, null);

    private static StripeProvider Provider(StandIn api) => new("stripe", api.Http(), StandIn.Access(("secret_key", "sk_test_x"), ("account", "acct_1")));

    private static string Intent(string status, string more = "") => $$"""
        {"id":"pi_1","object":"payment_intent","status":"{{status}}"{{(more.Contains("\"metadata\"", StringComparison.Ordinal) ? "" : $$""","metadata":{"reference":"{{Reference}}"}""")}}{{(more.Trim().Length == 0 ? "" : "," + more.Trim())}}}
        """;
}
