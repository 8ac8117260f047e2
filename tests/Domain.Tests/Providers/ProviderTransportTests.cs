using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Payments.Domain.Providers;
using Payments.Domain.Providers.Adyen;
using Payments.Domain.Providers.Credentials;
using Payments.Domain.Providers.Http;
using Payments.Domain.Providers.Sandbox;
using Payments.Domain.Providers.Stripe;

namespace Payments.Domain.Tests.Providers;

/// <summary>
/// What every provider owes: which ends of a call are unknown, which are known not to have been sent, and what is repeated. The rule: unknown whenever the request
/// may have arrived and its end is not told; not sent only where it is certain.
/// </summary>
public sealed class ProviderTransportTests
{
    public static TheoryData<string> Providers => ["sandbox", "stripe", "adyen"];

    public static TheoryData<string, PaymentOperation> Operations
    {
        get
        {
            var data = new TheoryData<string, PaymentOperation>();
            foreach (var provider in Providers)
            {
                foreach (var operation in Enum.GetValues<PaymentOperation>())
                    data.Add(provider, operation);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Send_ConnectionDroppedAfterSending_IsUnknownAndNotRepeated(string name, PaymentOperation operation)
    {
        await using var api = await StandIn.StartAsync();
        api.Drops();

        var answer = await Provider(name, api.Http()).SendAsync(Some.Request(operation), CancellationToken.None);

        Assert.Equal(PaymentResult.Unknown, answer.Result);
        Assert.Single(api.Requests);
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Send_NoAnswerInTime_IsUnknownAndNotRepeated(string name, PaymentOperation operation)
    {
        await using var api = await StandIn.StartAsync();
        api.SaysNothing();
        var time = new FakeTimeProvider();

        var sending = Provider(name, api.Http(time)).SendAsync(Some.Request(operation), CancellationToken.None);
        await api.ArrivedAsync();
        time.Advance(TimeSpan.FromSeconds(21));

        Assert.Equal(PaymentResult.Unknown, (await sending).Result);
        Assert.Single(api.Requests);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Send_AnswerBreaksOffInItsBody_IsUnknown(string name)
    {
        await using var api = await StandIn.StartAsync();
        api.Then(async context =>
        {
            context.Response.ContentLength = 1000;
            await context.Response.Body.WriteAsync("{\"id\":\"x"u8.ToArray());
            await context.Response.Body.FlushAsync();
            context.Abort();
        });

        Assert.Equal(PaymentResult.Unknown, (await Provider(name, api.Http()).SendAsync(Some.Request(), CancellationToken.None)).Result);
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Send_ServerError_IsUnknownAndNotRepeated(string name, PaymentOperation operation)
    {
        foreach (var status in (int[])[500, 502, 503, 504, 302, 408])
        {
            await using var api = await StandIn.StartAsync();
            api.Answers(status, """{"error":{"type":"api_error"},"status":"succeeded","resultCode":"Authorised"}""");

            var answer = await Provider(name, api.Http()).SendAsync(Some.Request(operation), CancellationToken.None);

            Assert.Equal((status, PaymentResult.Unknown), (status, answer.Result));
            Assert.Single(api.Requests);
        }
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Send_AnswerThatCannotBeRead_IsUnknown(string name, PaymentOperation operation)
    {
        foreach (var status in (int[])[200, 201, 400, 402, 404, 422])
        {
            foreach (var body in (string[])["", "<html>", "{", "[]", "null", "{}", """{"status":7,"resultCode":[]}""", """{"id":"\ud800","status":"new_word","resultCode":"NewWord"}"""])
            {
                await using var api = await StandIn.StartAsync();
                api.Answers(status, body);

                var answer = await Provider(name, api.Http()).SendAsync(Some.Request(operation), CancellationToken.None);

                Assert.Equal((status, body, PaymentResult.Unknown), (status, body, answer.Result));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Send_NobodyListens_IsNotSent(string name, PaymentOperation operation)
    {
        // The port is held, so that nobody else gets it, and nobody listens at it.
        using var held = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        held.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var address = new Uri($"http://127.0.0.1:{((IPEndPoint)held.LocalEndPoint!).Port}/");

        var answer = await Provider(name, StandIn.Http(address)).SendAsync(Some.Request(operation), CancellationToken.None);

        Assert.Equal(PaymentResult.NotSent, answer.Result);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Send_ConnectionIsNotMadeInTime_IsNotSent(string name)
    {
        // TLS to someone who takes the connection and never speaks: nothing of the request can have gone out.
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var address = new Uri($"https://127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}/");
        var time = new FakeTimeProvider();

        var sending = Provider(name, StandIn.Http(address, time, options => options.Repeats = 0)).SendAsync(Some.Request(), CancellationToken.None);
        using var connection = await silent.AcceptSocketAsync();
        time.Advance(TimeSpan.FromSeconds(21));

        Assert.Equal(PaymentResult.NotSent, (await sending).Result);
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Send_OverTheLimit_IsRepeatedWithTheSameKeyAndBody(string name, PaymentOperation operation)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(429, "{}", ("Retry-After", "0")).Answers(429, "{}", ("Retry-After", "0")).Drops();

        await Provider(name, api.Http()).SendAsync(Some.Request(operation), CancellationToken.None);

        Assert.Equal(3, api.Requests.Count);
        Assert.Single(api.Requests.Select(request => (request.Method, request.Target, request.Body, request.Headers["Idempotency-Key"])).Distinct());
        Assert.Contains($"{Some.Reference.Attempt.Value:N}", api.Requests[0].Headers["Idempotency-Key"], StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Send_StaysOverTheLimit_IsNotSent(string name)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(429, "{}", ("Retry-After", "0"));

        Assert.Equal(PaymentResult.NotSent, (await Provider(name, api.Http()).SendAsync(Some.Request(), CancellationToken.None)).Result);
        Assert.Equal(3, api.Requests.Count);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Send_ToldToWaitLongerThanACallMayTake_IsNotSentAtOnce(string name)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(429, "{}", ("Retry-After", "60"));

        Assert.Equal(PaymentResult.NotSent, (await Provider(name, api.Http()).SendAsync(Some.Request(), CancellationToken.None)).Result);
        Assert.Single(api.Requests);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Send_CredentialsRefusedOrMissing_IsNotSent(string name)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(401, """{"error":{"type":"invalid_request_error","message":"no"}}""").Answers(403, """{"status":403,"errorCode":"010","errorType":"security"}""");
        var provider = Provider(name, api.Http());

        Assert.Equal(PaymentResult.NotSent, (await provider.SendAsync(Some.Request(), CancellationToken.None)).Result);
        Assert.Equal(PaymentResult.NotSent, (await provider.SendAsync(Some.Request(), CancellationToken.None)).Result);

        var none = new ProviderAccess("test", (_, _) => ValueTask.FromResult<ProviderSecrets?>(null), NullLogger.Instance);
        Assert.Equal(PaymentResult.NotSent, (await Provider(name, api.Http(), none).SendAsync(Some.Request(), CancellationToken.None)).Result);
        var broken = new ProviderAccess("test", (_, _) => throw new InvalidOperationException("the database is away"), NullLogger.Instance);
        Assert.Equal(PaymentResult.NotSent, (await Provider(name, api.Http(), broken).SendAsync(Some.Request(), CancellationToken.None)).Result);
        Assert.Equal(2, api.Requests.Count);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Circuit_AfterManyFailures_SendsNothingUntilOneCallWorks(string name)
    {
        await using var api = await StandIn.StartAsync();
        for (var i = 0; i < 20; i++)
            api.Answers(500, "{}");
        var time = new FakeTimeProvider();
        var http = api.Http(time);
        var provider = Provider(name, http);
        for (var i = 0; i < 20; i++)
            Assert.Equal(PaymentResult.Unknown, (await provider.SendAsync(Some.Request(), CancellationToken.None)).Result);

        // Open: nothing goes out, and that is known. A look-up cannot know either.
        Assert.Equal(PaymentResult.NotSent, (await provider.SendAsync(Some.Request(), CancellationToken.None)).Result);
        Assert.Equal(PaymentResult.Unknown, (await provider.FindAsync(Some.Request(), CancellationToken.None))!.Result);
        Assert.Equal(20, api.Requests.Count);

        // Half open: one call is let through; it fails, and the circuit is open again.
        api.Answers(503, "{}");
        time.Advance(TimeSpan.FromSeconds(16));
        Assert.Equal(PaymentResult.Unknown, (await provider.SendAsync(Some.Request(), CancellationToken.None)).Result);
        Assert.Equal(PaymentResult.NotSent, (await provider.SendAsync(Some.Request(), CancellationToken.None)).Result);

        // Half open once more: it works, and so does everything after it.
        api.Answers(429, "{}", ("Retry-After", "60"));
        time.Advance(TimeSpan.FromSeconds(16));
        for (var i = 0; i < 3; i++)
            await provider.SendAsync(Some.Request(), CancellationToken.None);
        Assert.Equal(24, api.Requests.Count);
    }

    [Fact]
    public async Task Look_ThatFails_IsRepeated()
    {
        await using var api = await StandIn.StartAsync();
        api.Drops().Answers(500, "{}").Answers(200, """{"type":"payment","payment":{"id":"pay_1","status":"captured"}}""");

        var answer = await Provider("sandbox", api.Http()).FindAsync(Some.Request(), CancellationToken.None);

        Assert.Equal((PaymentResult.Succeeded, "pay_1"), (answer!.Result, answer.Reference));
        Assert.Equal(3, api.Requests.Count);
    }

    [Theory]
    [InlineData("sandbox")]
    [InlineData("stripe")]
    public async Task Find_CannotBeAsked_IsUnknownAndNeverNull(string name)
    {
        foreach (var status in (int[])[200, 401, 429, 500])
        {
            await using var api = await StandIn.StartAsync();
            api.Answers(status, "<html>", ("Retry-After", "60"));
            foreach (var operation in Enum.GetValues<PaymentOperation>())
                Assert.Equal(PaymentResult.Unknown, (await Provider(name, api.Http(change: o => o.Repeats = 0)).FindAsync(Some.Request(operation), CancellationToken.None))?.Result);
        }
    }

    private static IPaymentProvider Provider(string name, ProviderHttp http, ProviderAccess? access = null) => name switch
    {
        "sandbox" => new SandboxProvider("sandbox", http, access ?? StandIn.Access(("api_key", "ak"))),
        "stripe" => new StripeProvider("stripe", http, access ?? StandIn.Access(("secret_key", "sk_test_x"))),
        "adyen" => new AdyenProvider("adyen", http, access ?? StandIn.Access(("api_key", "AQE"), ("merchant_account", "Shop")), null),
        _ => throw new ArgumentOutOfRangeException(nameof(name)),
    };
}

internal static class Some
{
    public static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    public static readonly AttemptReference Reference = new(PrefixedId.New<MerchantId>(Start), PrefixedId.New<AttemptId>(Start));

    public static PaymentRequest Request(PaymentOperation operation = PaymentOperation.Charge) => new(
        operation, Reference, new Money(1050, Currency.Eur), operation is PaymentOperation.Charge ? "pm_card_visa" : null, CaptureNow: true,
        operation is PaymentOperation.Charge ? null : "pi_1", IsFinal: false, StatementDescriptor: null, ReturnUrl: null);
}
