using System.Text.Json;
using Dapper;
using Payments.Domain;
using Payments.Domain.Charges;
using Payments.Domain.Providers;
using Payments.Domain.Providers.Adyen;
using Payments.Domain.Providers.Sandbox;
using Payments.Domain.Providers.Stripe;
using Payments.Domain.Refunds;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Postgres.Tests.Charges;

/// <summary>
/// What people do in a processor's dashboard is booked as an operation of ours that was made elsewhere, or it waits, or it is raised. The
/// rule is one for all processors.
/// </summary>
public sealed class OperationsElsewhereTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    public static TheoryData<string> Providers() =>
        ["adyen", "adyen, with a reference of its own", "stripe", "sandbox", "sandbox, by payment_id"];

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Refund_MadeElsewhere_IsBookedOnce(string how)
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync());
        var refund = Refund(how, charge, "DASHREFUND1", 4_000);

        var first = await ApplyAsync(world, refund);
        var again = await ApplyAsync(world, refund);

        Assert.Equal((ApplyOutcome.Applied, ApplyOutcome.Ignored), (first.Outcome, again.Outcome));
        Assert.NotEqual("It was known.", again.Detail);
        var after = await world.ReadAsync(charge.Merchant, charge.Id);
        Assert.Equal((4_000, 6_000, 0), (after.Refunded.MinorUnits, after.Refundable.MinorUnits, after.Refunding.MinorUnits));
        var booked = Assert.Single(await RefundsAsync(world, charge));
        Assert.Equal((RefundStatus.Succeeded, "DASHREFUND1", true), (booked.Status, booked.ProviderReference, booked.MadeElsewhere));
        Assert.Equal(["refund.created", "refund.succeeded"], await world.EventsAsync(charge.Merchant, booked.Id.Value));
        Assert.Equal(-4_000, await world.AvailableAsync(charge.Merchant));
        Assert.Single(world.Provider.Sent);

        // What is left can be refunded here, and no more.
        Assert.False((await world.RefundAsync(charge, 6_001)).TryGet(out _, out _));
        Assert.True((await world.RefundAsync(charge, 6_000)).TryGet(out _, out _));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Refund_MoreThanIsLeft_IsRaisedAndMovesNothing(string how)
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync());

        var result = await ApplyAsync(world, Refund(how, charge, "DASHREFUND2", 10_001));

        Assert.Equal(ApplyOutcome.Failed, result.Outcome);
        Assert.Contains("DASHREFUND2", result.Detail, StringComparison.Ordinal);
        var after = await world.ReadAsync(charge.Merchant, charge.Id);
        Assert.Equal((charge.Status, charge.Captured, charge.Refunding, charge.Refunded), (after.Status, after.Captured, after.Refunding, after.Refunded));
        Assert.Empty(await RefundsAsync(world, charge));
    }

    [Fact]
    public async Task Refund_InAnotherCurrencyOrAtAnotherProvider_IsRaised()
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync());
        var told = new ReportedOperation("sandbox", PaymentOperation.Refund, charge.ProviderReference, new Money(400, Currency.Usd));
        var answer = new PaymentAnswer(PaymentResult.Succeeded, "D1");

        Assert.Equal(ApplyOutcome.Failed, (await ApplyAsync(world, new OperationReported(told, answer))).Outcome);
        Assert.Equal(
            ApplyOutcome.Failed,
            (await ApplyAsync(
                world,
                new PaymentReported("stripe", First(charge), answer)
                {
                    Told = told with
                    {
                        Provider = "stripe",
                        Amount = new Money(400, Currency.Eur)
                    }
                })).Outcome);
        Assert.Empty(await RefundsAsync(world, charge));
    }

    /// <summary>The reference is in every request to a provider, so another provider, or one of test payments, could name it.</summary>
    [Theory]
    [InlineData("stripe", ApplyOutcome.Failed, ChargeStatus.Authorized)]
    [InlineData("sandbox", ApplyOutcome.Applied, ChargeStatus.Canceled)]
    public async Task Report_NamingOurReference_CountsForItsOwnProviderAlone(string provider, ApplyOutcome expected, ChargeStatus status)
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync(), capture: false);

        var result = await ApplyAsync(world, new PaymentReported(provider, First(charge),
            new PaymentAnswer(PaymentResult.Canceled, charge.ProviderReference)));

        Assert.Equal((expected, status), (result.Outcome, (await world.ReadAsync(charge.Merchant, charge.Id)).Status));
    }

    [Theory]
    [InlineData("stripe")]
    [InlineData("sandbox, by payment_id")]
    public async Task Refund_OfAPaymentThatIsNotKnown_Waits(string how)
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync());

        var result = await ApplyAsync(world, Refund(how, charge with { ProviderReference = "pay_of_another" }, "D1", 400));

        Assert.Equal(ApplyOutcome.Waiting, result.Outcome);
        Assert.Contains("pay_of_another", result.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refund_WhileOneOfOursIsUnknown_WaitsForItsEnd()
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync());
        world.Provider.OnSend = _ => PaymentAnswer.Unknown("time-out");
        Assert.True((await world.RefundAsync(charge, 8_000)).TryGet(out _, out _));
        var refund = Refund("stripe", charge, "re_dash", 4_000);
        Assert.Equal(ApplyOutcome.Waiting, (await ApplyAsync(world, refund)).Outcome);

        world.Provider.OnFind = _ => PaymentAnswer.NotSent("It never arrived.");
        world.Time.Advance(TimeSpan.FromMinutes(11));
        await world.Get<ResolveAttempts>().RunAsync(10, default);

        Assert.Equal(ApplyOutcome.Applied, (await ApplyAsync(world, refund)).Outcome);
        Assert.Equal(4_000, (await world.ReadAsync(charge.Merchant, charge.Id)).Refunded.MinorUnits);
    }

    [Theory]
    [InlineData(3_000)]
    [InlineData(10_000)]
    public async Task Refund_SameEventOnTwoInstancesAtOnce_IsBookedOnceAndNeverRaised(long amount)
    {
        await using var one = new ChargeWorld(database);
        await using var two = new ChargeWorld(database);
        var charge = await one.ChargeAsync(await one.MerchantAsync());
        var refund = Refund("adyen", charge, "DASHREFUND3", amount);

        var results = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => ApplyAsync(i % 2 == 0 ? one : two, refund)));

        Assert.All(results, result => Assert.True(result.Outcome is ApplyOutcome.Applied or ApplyOutcome.Ignored, result.Detail));
        Assert.Single(await RefundsAsync(one, charge));
        Assert.Equal(amount, (await one.ReadAsync(charge.Merchant, charge.Id)).Refunded.MinorUnits);
        Assert.Equal(-amount, await one.AvailableAsync(charge.Merchant));
    }

    [Fact]
    public async Task Refund_TakenOnAndNeverHeardOfByReference_IsNotFailedByTheResolver()
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync());
        Assert.Equal(ApplyOutcome.Applied, (await ApplyAsync(world, Adyen("POSTPONED_REFUND", First(charge), charge, "P1", 4_000))).Outcome);
        world.Provider.OnFind = _ => null;
        world.Time.Advance(TimeSpan.FromHours(2));
        await world.Get<ResolveAttempts>().RunAsync(10, default);
        Assert.Equal(RefundStatus.Pending, Assert.Single(await RefundsAsync(world, charge)).Status);

        Assert.Equal(ApplyOutcome.Applied, (await ApplyAsync(world, Adyen("REFUND", First(charge), charge, "P1", 4_000))).Outcome);

        Assert.Equal(RefundStatus.Succeeded, Assert.Single(await RefundsAsync(world, charge)).Status);
        Assert.Equal(4_000, (await world.ReadAsync(charge.Merchant, charge.Id)).Refunded.MinorUnits);
    }

    [Theory]
    [InlineData("REFUNDED_REVERSED", "DASH4R")]
    [InlineData("REFUND_FAILED", "DASH4")]
    public async Task Refund_MadeElsewhereAndTakenBack_GoesBackToTheMerchantOnce(string code, string id)
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync());
        await ApplyAsync(world, Adyen("REFUND", First(charge), charge, "DASH4", 4_000));

        var back = Adyen(code, First(charge), charge, id, 4_000);
        Assert.Equal(ApplyOutcome.Applied, (await ApplyAsync(world, back)).Outcome);
        Assert.NotEqual(ApplyOutcome.Applied, (await ApplyAsync(world, back)).Outcome);

        var after = await world.ReadAsync(charge.Merchant, charge.Id);
        Assert.Equal((0, 10_000), (after.Refunded.MinorUnits, after.Refundable.MinorUnits));
        Assert.Equal(RefundStatus.Failed, Assert.Single(await RefundsAsync(world, charge)).Status);
        Assert.Equal(0, await world.AvailableAsync(charge.Merchant));
    }

    [Theory]
    [InlineData("REFUND_FAILED")]
    [InlineData("REFUNDED_REVERSED")]
    public async Task Refund_OfOursTakenBack_GoesBackToTheMerchant(string code)
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync());
        Assert.True((await world.RefundAsync(charge, 3_000)).TryGet(out _, out _));
        var attempt = world.Provider.Sent.Last().Reference;

        Assert.Equal(ApplyOutcome.Applied, (await ApplyAsync(world, Adyen(code, attempt, charge, "REFD1R", 3_000))).Outcome);

        Assert.Equal(0, (await world.ReadAsync(charge.Merchant, charge.Id)).Refunded.MinorUnits);
        var refund = Assert.Single(await RefundsAsync(world, charge));
        Assert.Equal((RefundStatus.Failed, false), (refund.Status, refund.MadeElsewhere));
        Assert.Equal(["refund.created", "refund.succeeded", "refund.failed"], await world.EventsAsync(charge.Merchant, refund.Id.Value));
        Assert.Equal(0, await world.AvailableAsync(charge.Merchant));
    }

    [Fact]
    public async Task Refunds_TheirSum_WaitsForTheEventThatIsMissing()
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync());
        var sum = Stripe(
            "charge.refunded", $$"""{"id":"ch_1","payment_intent":"{{charge.ProviderReference}}","amount_refunded":4000,"currency":"eur"}""");
        Assert.Equal(ApplyOutcome.Waiting, (await ApplyAsync(world, sum)).Outcome);

        await ApplyAsync(world, Refund("stripe", charge, "re_dash", 4_000));

        Assert.Equal(ApplyOutcome.Ignored, (await ApplyAsync(world, sum)).Outcome);
    }

    [Theory]
    [InlineData("succeeded", ChargeStatus.Captured, 7_000, 3_000)]
    [InlineData("requires_capture", ChargeStatus.PartiallyCaptured, 7_000, 0)]
    public async Task Capture_MadeInStripesDashboard_IsBookedOnce(string status, ChargeStatus expected, long captured, long canceled)
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync(), capture: false);
        var intent = Intent(charge, status, 7_000);

        Assert.Equal(ApplyOutcome.Applied, (await ApplyAsync(world, intent)).Outcome);
        Assert.Equal(ApplyOutcome.Ignored, (await ApplyAsync(world, intent)).Outcome);

        var after = await world.ReadAsync(charge.Merchant, charge.Id);
        Assert.Equal((expected, captured, canceled), (after.Status, after.Captured.MinorUnits, after.Canceled.MinorUnits));
        Assert.Equal(["charge.authorized", "charge.captured"], await world.EventsAsync(charge.Merchant, charge.Id.Value));
        var attempts = await world.Get<ChargeAttempts>().ListAsync(charge.Merchant, charge.Id, default);
        Assert.Equal([false, true], attempts.Select(a => a.MadeElsewhere).Order());
        Assert.Equal(7_000, await BookedAsync(charge.Merchant));
    }

    [Fact]
    public async Task Capture_MadeElsewhereBeforeTheAuthorizationWasKnown_BooksBoth()
    {
        await using var world = new ChargeWorld(database);
        world.Provider.OnSend = _ => PaymentAnswer.Unknown("time-out");
        var charge = await world.ChargeAsync(await world.MerchantAsync(), capture: false);

        var intent = Intent(charge with { ProviderReference = "pi_1" }, "succeeded", 7_000);
        Assert.Equal(ApplyOutcome.Applied, (await ApplyAsync(world, intent)).Outcome);

        var after = await world.ReadAsync(charge.Merchant, charge.Id);
        Assert.Equal((ChargeStatus.Captured, 7_000), (after.Status, after.Captured.MinorUnits));
        Assert.Equal(7_000, await BookedAsync(charge.Merchant));
    }

    [Fact]
    public async Task Capture_OneOfOursThenOneElsewhere_BooksTheDifference()
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync(), capture: false);
        Assert.True((await world.CaptureAsync(charge, 4_000)).TryGet(out _, out _));
        var ours = world.Provider.Sent.Last().Reference;
        var mark = $",\"capture\":\"{ours}\",\"capture_{ours.Attempt.Value:N}\":\"4000\"";

        Assert.Equal(ApplyOutcome.Ignored, (await ApplyAsync(world, Intent(charge, "requires_capture", 4_000, mark))).Outcome);
        Assert.Equal(ApplyOutcome.Applied, (await ApplyAsync(world, Intent(charge, "succeeded", 10_000, mark))).Outcome);

        Assert.Equal((ChargeStatus.Captured, 10_000), await StatusAsync(world, charge));
        Assert.Equal(10_000, await BookedAsync(charge.Merchant));
    }

    [Fact]
    public async Task Capture_WhileOneOfOursIsUnknown_WaitsForItsEnd()
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync(), capture: false);
        world.Provider.OnSend = _ => PaymentAnswer.Unknown("time-out");
        Assert.True((await world.CaptureAsync(charge, 4_000)).TryGet(out _, out _));
        var intent = Intent(charge, "succeeded", 4_000);
        Assert.Equal(ApplyOutcome.Waiting, (await ApplyAsync(world, intent)).Outcome);

        await world.Get<AttemptOutcomes>().RecordAsync(
            world.Provider.Sent.Last().Reference, new PaymentAnswer(PaymentResult.Succeeded, charge.ProviderReference), default);

        Assert.Equal(ApplyOutcome.Ignored, (await ApplyAsync(world, intent)).Outcome);
        Assert.Equal(4_000, await BookedAsync(charge.Merchant));
    }

    [Theory]
    [InlineData("adyen")]
    [InlineData("sandbox")]
    public async Task Capture_NamedByItsPayment_IsBookedOnce(string how)
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync(), capture: false);
        var capture = how == "adyen"
            ? Adyen("CAPTURE", First(charge), charge, "CAP1", 4_000)
            : Sandbox("capture.succeeded", "capture", charge, "CAP1", 4_000, byReference: true);

        Assert.Equal(ApplyOutcome.Applied, (await ApplyAsync(world, capture)).Outcome);
        Assert.Equal(ApplyOutcome.Ignored, (await ApplyAsync(world, capture)).Outcome);

        Assert.Equal((ChargeStatus.PartiallyCaptured, 4_000), await StatusAsync(world, charge));
    }

    [Fact]
    public async Task Capture_OfAPaymentThatAdyenCapturesByItself_IsTheOneThatIsBooked()
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync());

        Assert.Equal(ApplyOutcome.Ignored, (await ApplyAsync(world, Adyen("CAPTURE", First(charge), charge, "CAP1", 10_000))).Outcome);
        Assert.Equal(10_000, await BookedAsync(charge.Merchant));
    }

    [Theory]
    [InlineData("CAPTURE_FAILED")]
    [InlineData("CANCELLATION")]
    public async Task Payment_CapturedHereAndGivenUpThere_IsRaisedAndListed(string code)
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync());

        Assert.Equal(ApplyOutcome.Failed, (await ApplyAsync(world, Adyen(code, First(charge), charge, "X1", 10_000))).Outcome);

        Assert.Equal(ChargeStatus.Captured, (await world.ReadAsync(charge.Merchant, charge.Id)).Status);
        Assert.Contains(await ContradictedAsync(world), a => a.Charge == charge.Id);
    }

    [Theory]
    [InlineData("adyen", ChargeStatus.Canceled, 10_000)]
    [InlineData("adyen, with a reference of its own", ChargeStatus.Canceled, 10_000)]
    [InlineData("stripe", ChargeStatus.Canceled, 10_000)]
    [InlineData("sandbox", ChargeStatus.Authorized, 2_000)]
    public async Task Cancel_MadeElsewhere_GivesBackWhatIsHeld(string how, ChargeStatus expected, long canceled)
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync(), capture: false);
        var cancel = how switch
        {
            "stripe" => Intent(charge, "canceled", 0),
            "sandbox" => Sandbox("payment.canceled", "cancel", charge, "CAN1", 2_000, byReference: true),
            "adyen" => Adyen("CANCELLATION", First(charge), charge, "CAN1", 10_000),
            _ => Adyen("CANCELLATION", null, charge, "CAN1", 10_000),
        };

        Assert.Equal(ApplyOutcome.Applied, (await ApplyAsync(world, cancel)).Outcome);
        Assert.Equal(ApplyOutcome.Ignored, (await ApplyAsync(world, cancel)).Outcome);

        var after = await world.ReadAsync(charge.Merchant, charge.Id);
        Assert.Equal((expected, canceled), (after.Status, after.Canceled.MinorUnits));
    }

    [Theory]
    [InlineData("CANCELLATION")]
    [InlineData("CAPTURE")]
    [InlineData("REFUND")]
    public async Task Operation_RefusedElsewhere_MovesNothingAndIsNoContradiction(string code)
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync(), capture: false);

        var result = await ApplyAsync(world, Adyen(code, First(charge), charge, "N1", 4_000, success: false));

        Assert.Equal(ApplyOutcome.Ignored, result.Outcome);
        Assert.Equal(charge, await world.ReadAsync(charge.Merchant, charge.Id));
        Assert.DoesNotContain(await ContradictedAsync(world), a => a.Charge == charge.Id);
    }

    [Fact]
    public async Task Cancel_WhileACaptureOfOursIsUnknown_Waits()
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync(), capture: false);
        world.Provider.OnSend = _ => PaymentAnswer.Unknown("time-out");
        Assert.True((await world.CaptureAsync(charge, 4_000)).TryGet(out _, out _));
        var cancel = Adyen("CANCELLATION", First(charge), charge, "CAN1", 10_000);
        Assert.Equal(ApplyOutcome.Waiting, (await ApplyAsync(world, cancel)).Outcome);

        await world.Get<AttemptOutcomes>().RecordAsync(
            world.Provider.Sent.Last().Reference, PaymentAnswer.Declined(DeclineCode.InvalidRequest), default);

        Assert.Equal(ApplyOutcome.Applied, (await ApplyAsync(world, cancel)).Outcome);
        Assert.Equal(ChargeStatus.Canceled, (await world.ReadAsync(charge.Merchant, charge.Id)).Status);
    }

    private static Task<ApplyResult> ApplyAsync(ChargeWorld world, INeutralEvent neutral) =>
        world.Get<IEnumerable<IProviderEventApplier>>().OfType<ChargeEventApplier>().Single().ApplyAsync(neutral, default);

    private static Task<IReadOnlyList<Attempt>> ContradictedAsync(ChargeWorld world) =>
        world.Get<AttemptReads>().ListAsync(AttemptFilter.Contradicted, null, null, 100, default);

    private static async Task<IReadOnlyList<Refund>> RefundsAsync(ChargeWorld world, Charge charge) =>
        await world.Get<RefundReads>().ListAsync(charge.Merchant, 10, null, charge.Id, null, default);

    private static async Task<(ChargeStatus, long)> StatusAsync(ChargeWorld world, Charge charge)
    {
        var after = await world.ReadAsync(charge.Merchant, charge.Id);
        return (after.Status, after.Captured.MinorUnits);
    }

    private async Task<long> BookedAsync(MerchantId merchant)
    {
        await using var connection = await database.App.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<long>(
            "SELECT COALESCE(sum(amount), 0)::bigint FROM payments.balance_transactions WHERE merchant_id = @merchant AND type = 'charge'",
            new { merchant = merchant.Value });
    }

    private static AttemptReference First(Charge charge) => new(charge.Merchant, AttemptId.FirstOf(charge.Id));

    private static INeutralEvent Refund(string how, Charge charge, string id, long amount) => how switch
    {
        "adyen" => Adyen("REFUND", First(charge), charge, id, amount),
        "adyen, with a reference of its own" => Adyen("REFUND", null, charge, id, amount),
        "stripe" => Stripe("refund.created", $$"""
            {"id":"{{id}}","object":"refund","status":"succeeded","amount":{{amount}},"currency":"eur",
             "payment_intent":"{{charge.ProviderReference}}","metadata":{} }
            """),
        "sandbox" => Sandbox("refund.succeeded", "refund", charge, id, amount, byReference: true),
        _ => Sandbox("refund.succeeded", "refund", charge, id, amount, byReference: false),
    };

    /// <summary>A payment that is captured at once bears a mark in its reference, as Adyen gives it back.</summary>
    private static INeutralEvent Adyen(string code, AttemptReference? reference, Charge charge, string id, long amount, bool success = true)
    {
        var mark = charge.CaptureMethod is CaptureMethod.Automatic && reference == First(charge) ? "-auto" : "";
        return new AdyenPaymentEvents("sandbox").Map(Received(code), JsonElement.Parse($$"""
            {"amount":{"currency":"EUR","value":{{amount}}},"eventCode":"{{code}}","eventDate":"2026-11-30T12:17:40.233Z",
             "merchantAccountCode":"StubAccount",             "merchantReference":"{{(reference is { } known ? known + mark : "order 12")}}",
             "originalReference":"{{charge.ProviderReference}}","paymentMethod":"visa","pspReference":"{{id}}",
             "reason":"","success":"{{(success ? "true" : "false")}}"}
            """))!;
    }

    private static INeutralEvent Intent(Charge charge, string status, long received, string marks = "") => Stripe(
        status == "canceled" ? "payment_intent.canceled" : "payment_intent.succeeded",
        $$"""
        {"id":"{{charge.ProviderReference}}","object":"payment_intent","status":"{{status}}","amount":10000,
         "amount_received":{{received}},"currency":"eur","capture_method":"manual",
         "cancellation_reason":"requested_by_customer","metadata":{"reference":"{{First(charge)}}"{{marks}}} }
        """);

    private static INeutralEvent Stripe(string type, string item) =>
        new StripePaymentEvents("sandbox").Map(
            Received(type), JsonElement.Parse($$"""{"id":"evt_1","type":"{{type}}","created":1796041105,"data":{"object":{{item}} } }"""))!;

    private static INeutralEvent Sandbox(string type, string kind, Charge charge, string id, long amount, bool byReference) =>
        new SandboxPaymentEvents("sandbox").Map(Received(type), JsonElement.Parse($$"""
            {"id":"aevt_1","type":"{{type}}","created_at":"2026-03-01T12:00:00Z","data":{"object":"{{kind}}","id":"{{id}}",
             "reference":"dashboard-{{id}}","status":"succeeded","amount":{{amount}},
             "currency":"EUR","created_at":"2026-03-01T12:00:00Z","payment_id":"{{charge.ProviderReference}}",
             "payment_reference":"{{(byReference ? First(charge).ToString() : "shop-7")}}"} }
            """))!;

    private static ProviderEvent Received(string type) =>
        new(Guid.Empty, "sandbox", "evt_1", type, ProviderEventStatus.Received, 0, null, null, ChargeWorld.Start, null);
}
