using Payments.Domain.Charges;
using Payments.Domain.Providers;

namespace Payments.Postgres.Tests.Charges;

/// <summary>What has lapsed ends, and nothing that the provider still holds is forgotten.</summary>
public sealed class ExpiryTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncDisposable
{
    private readonly ChargeWorld _world = new(database);

    [Fact]
    public async Task Run_StillHeldAtTheProvider_GivesItBackAndExpires()
    {
        var charge = await _world.ChargeAsync(await _world.MerchantAsync(), capture: false);
        Assert.Equal(ChargeWorld.Start + ChargeRules.AuthorizationLifetime, charge.ExpiresAt);
        _world.Provider.OnFind = _ => new PaymentAnswer(PaymentResult.Authorized, "pay_1");

        var early = await ExpireAsync(charge, TimeSpan.FromDays(6));
        var end = await ExpireAsync(charge, TimeSpan.FromDays(2));

        Assert.Equal(ChargeStatus.Authorized, early.Status);
        Assert.Equal((ChargeStatus.Expired, 10_000, 0), (end.Status, end.Canceled.MinorUnits, end.Canceling.MinorUnits));
        Assert.Equal(10_000, Assert.Single(_world.Provider.Sent, r => r.Operation is PaymentOperation.Cancel).Amount.MinorUnits);
        Assert.Equal(["charge.authorized", "charge.expired"], await _world.EventsAsync(charge.Merchant, charge.Id.Value));
    }

    [Fact]
    public async Task Run_ExpiredAtTheProvider_ExpiresWithoutACall()
    {
        var charge = await _world.ChargeAsync(await _world.MerchantAsync(), capture: false);
        _world.Provider.OnFind = _ => new PaymentAnswer(PaymentResult.Expired, "pay_1");

        var end = await ExpireAsync(charge, TimeSpan.FromDays(8));

        Assert.Equal(ChargeStatus.Expired, end.Status);
        Assert.DoesNotContain(_world.Provider.Sent, r => r.Operation is PaymentOperation.Cancel);
    }

    [Fact]
    public async Task Run_RestOfAPartialCapture_LeavesTheCapturedPart()
    {
        var charge = await _world.ChargeAsync(await _world.MerchantAsync(), capture: false);
        await _world.CaptureAsync(charge, 4_000);
        _world.Provider.OnFind = _ => new PaymentAnswer(PaymentResult.Succeeded, "pay_1");

        var end = await ExpireAsync(charge, TimeSpan.FromDays(8));

        Assert.Equal((ChargeStatus.Captured, 4_000, 6_000), (end.Status, end.Captured.MinorUnits, end.Canceled.MinorUnits));
    }

    [Fact]
    public async Task Run_CapturedBehindOurBack_IsAContradictionAndMovesNothing()
    {
        var charge = await _world.ChargeAsync(await _world.MerchantAsync(), capture: false);
        _world.Provider.OnFind = _ => new PaymentAnswer(PaymentResult.Succeeded, "pay_1");

        var after = await ExpireAsync(charge, TimeSpan.FromDays(8));

        Assert.Equal((ChargeStatus.Authorized, 0), (after.Status, after.Captured.MinorUnits));
        Assert.Contains(await _world.Get<AttemptReads>().ListAsync(AttemptFilter.Contradicted, null, null, 100, default), a => a.Charge == charge.Id);
    }

    [Fact]
    public async Task Run_ProviderCannotBeAsked_LeavesTheChargeAndComesBackInAnHour()
    {
        var charge = await _world.ChargeAsync(await _world.MerchantAsync(), capture: false);

        var later = await ExpireAsync(charge, TimeSpan.FromDays(8));
        _world.Provider.OnFind = _ => new PaymentAnswer(PaymentResult.Expired, "pay_1");
        var same = await ExpireAsync(charge, TimeSpan.FromMinutes(59));
        var end = await ExpireAsync(charge, TimeSpan.FromMinutes(1));

        Assert.Equal(_world.Time.GetUtcNow(), later.ExpiresAt);
        Assert.Equal((ChargeStatus.Authorized, ChargeStatus.Authorized, ChargeStatus.Expired), (later.Status, same.Status, end.Status));
    }

    [Fact]
    public async Task Run_ReleaseRefused_CanStillBeCaptured()
    {
        var charge = await _world.ChargeAsync(await _world.MerchantAsync(), capture: false);
        var approve = _world.Provider.OnSend;
        _world.Provider.OnFind = _ => new PaymentAnswer(PaymentResult.Authorized, "pay_1");
        _world.Provider.OnSend = request => request.Operation is PaymentOperation.Cancel ? PaymentAnswer.Declined(DeclineCode.ProcessingError) : approve(request);

        var after = await ExpireAsync(charge, TimeSpan.FromDays(8));

        Assert.Equal((ChargeStatus.Authorized, 10_000), (after.Status, after.Capturable.MinorUnits));
        Assert.True((await _world.CaptureAsync(charge)).TryGet(out _, out _));
        Assert.Equal(ChargeStatus.Captured, (await _world.ReadAsync(charge.Merchant, charge.Id)).Status);
    }

    [Theory]
    [InlineData(PaymentResult.RequiresAction, ChargeStatus.Expired)]
    [InlineData(PaymentResult.Succeeded, ChargeStatus.Captured)]
    [InlineData(PaymentResult.Declined, ChargeStatus.Declined)]
    [InlineData(PaymentResult.Canceled, ChargeStatus.Canceled)]
    public async Task Run_CustomerNeverCameBack_EndsAsTheProviderSays(PaymentResult said, ChargeStatus status)
    {
        var approve = _world.Provider.OnSend;
        _world.Provider.OnSend = request => request.Operation is PaymentOperation.Charge
            ? new PaymentAnswer(PaymentResult.RequiresAction, "pay_1", RedirectUrl: "https://acs.example")
            : approve(request);
        var charge = await _world.ChargeAsync(await _world.MerchantAsync());
        _world.Provider.OnFind = _ => new PaymentAnswer(said, "pay_1", said is PaymentResult.Declined ? DeclineCode.AuthenticationFailed : null, "https://acs.example");

        var end = await ExpireAsync(charge, TimeSpan.FromDays(8));

        Assert.Equal(status, end.Status);
        Assert.Null(end.RedirectUrl);
    }

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private async Task<Charge> ExpireAsync(Charge charge, TimeSpan later)
    {
        _world.Time.Advance(later);
        await _world.Get<ExpireCharges>().RunAsync(100, default);
        return await _world.ReadAsync(charge.Merchant, charge.Id);
    }
}
