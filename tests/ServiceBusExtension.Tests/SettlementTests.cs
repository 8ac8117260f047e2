using System.Runtime.Serialization;
using System.Text;
using Azure.Messaging.ServiceBus;
using Grpc.Core;
using Microsoft.Azure.Amqp;
using Microsoft.Azure.Amqp.Encoding;
using Microsoft.Azure.Functions.Worker;

namespace Payments.ServiceBusExtension.Tests;

/// <summary>The bytes are written out, not generated, so that a change of a field's number fails here.</summary>
public sealed class SettlementTests(SettlementHost host) : IClassFixture<SettlementHost>, IDisposable
{
    private readonly ServiceBusReceivedMessage _message =
        ServiceBusModelFactory.ServiceBusReceivedMessage(lockTokenGuid: new("0f8fad5b-d9cb-469f-a165-70867728950e"));

    private ServiceBusMessageActions Actions => new(host.Client);

    public void Dispose()
    {
        host.Calls.Clear();
        (host.Answer, host.Status) = ([], 0);
    }

    [Fact]
    public async Task Complete_Message_NamesItsLock()
    {
        await Actions.CompleteMessageAsync(_message, TestContext.Current.CancellationToken);

        AssertCalled("/Settlement/Complete", Field(1, _message.LockToken));
    }

    [Fact]
    public async Task RenewMessageLock_Message_NamesItsLock()
    {
        await Actions.RenewMessageLockAsync(_message, TestContext.Current.CancellationToken);

        AssertCalled("/Settlement/RenewMessageLock", Field(1, _message.LockToken));
    }

    [Fact]
    public async Task Abandon_WithoutProperties_NamesTheLockOnly()
    {
        await Actions.AbandonMessageAsync(_message, cancellationToken: TestContext.Current.CancellationToken);

        AssertCalled("/Settlement/Abandon", Field(1, _message.LockToken));
    }

    [Fact]
    public async Task Defer_WithoutProperties_NamesTheLockOnly()
    {
        await Actions.DeferMessageAsync(_message, cancellationToken: TestContext.Current.CancellationToken);

        AssertCalled("/Settlement/Defer", Field(1, _message.LockToken));
    }

    [Fact]
    public async Task DeadLetter_WithReasonAndDescription_SendsBothWrapped()
    {
        await Actions.DeadLetterMessageAsync(
            _message, deadLetterReason: "why", deadLetterErrorDescription: "how", cancellationToken: TestContext.Current.CancellationToken);

        AssertCalled("/Settlement/Deadletter", [.. Field(1, _message.LockToken), .. Field(3, Field(1, "why")), .. Field(4, Field(1, "how"))]);
    }

    [Fact]
    public async Task DeadLetter_WithoutReason_SendsNone()
    {
        await Actions.DeadLetterMessageAsync(_message, cancellationToken: TestContext.Current.CancellationToken);

        AssertCalled("/Settlement/Deadletter", Field(1, _message.LockToken));
    }

    [Fact]
    public async Task Abandon_WithProperties_SendsThemAsAnAmqpMap()
    {
        var when = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.FromHours(1));
        var properties = new Dictionary<string, object>
        {
            ["text"] = "value",
            ["number"] = 7L,
            ["none"] = null!,
            ["when"] = when,
            ["duration"] = TimeSpan.FromSeconds(5),
            ["address"] = new Uri("https://example.org/a"),
        };

        await Actions.AbandonMessageAsync(_message, properties, TestContext.Current.CancellationToken);

        var (path, request) = Assert.Single(host.Calls);
        Assert.Equal("/Settlement/Abandon", path);
        var token = Field(1, _message.LockToken);
        Assert.Equal(token, request[..token.Length]);
        // Tag and a length of up to two bytes stand before the map.
        var length = request[token.Length + 1];
        var map = AmqpCodec.DecodeMap(new ByteBuffer(request, token.Length + (length < 128 ? 2 : 3), request.Length - token.Length - (length < 128 ? 2 : 3)));
        Assert.Equal("value", map[new MapKey("text")]);
        Assert.Equal(7L, map[new MapKey("number")]);
        Assert.Null(map[new MapKey("none")]);
        AssertDescribed("com.microsoft:datetime-offset", when.UtcTicks, map[new MapKey("when")]);
        AssertDescribed("com.microsoft:timespan", TimeSpan.FromSeconds(5).Ticks, map[new MapKey("duration")]);
        AssertDescribed("com.microsoft:uri", "https://example.org/a", map[new MapKey("address")]);
    }

    [Fact]
    public async Task Abandon_PropertyThatAmqpCannotCarry_ThrowsAndSendsNothing()
    {
        var properties = new Dictionary<string, object> { ["list"] = new List<int>() };

        await Assert.ThrowsAsync<SerializationException>(() => Actions.AbandonMessageAsync(_message, properties, TestContext.Current.CancellationToken));

        Assert.Empty(host.Calls);
    }

    [Fact]
    public async Task Complete_HostRefuses_Throws()
    {
        host.Status = (int)StatusCode.FailedPrecondition;

        var refused = await Assert.ThrowsAsync<RpcException>(() => Actions.CompleteMessageAsync(_message, TestContext.Current.CancellationToken));

        Assert.Equal(StatusCode.FailedPrecondition, refused.StatusCode);
    }

    [Fact]
    public async Task Complete_NoMessage_Throws() =>
        await Assert.ThrowsAsync<ArgumentNullException>(() => Actions.CompleteMessageAsync(null!, TestContext.Current.CancellationToken));

    [Fact]
    public async Task GetSessionState_OfSession_IsWhatTheHostAnswers()
    {
        host.Answer = Field(1, "state");

        var state = await Session().GetSessionStateAsync(TestContext.Current.CancellationToken);

        Assert.Equal("state", state.ToString());
        AssertCalled("/Settlement/GetSessionState", Field(1, "the session"));
    }

    [Fact]
    public async Task GetSessionState_LongerThanGrpcAllowsByDefault_IsReadUpToTheHostsLimit()
    {
        host.Answer = Field(1, new string('x', 5_000_000));

        Assert.Equal(5_000_000, (await Session().GetSessionStateAsync(TestContext.Current.CancellationToken)).ToMemory().Length);
    }

    [Fact]
    public async Task SetSessionState_OfSession_SendsIt()
    {
        await Session().SetSessionStateAsync(BinaryData.FromString("state"), TestContext.Current.CancellationToken);

        AssertCalled("/Settlement/SetSessionState", [.. Field(1, "the session"), .. Field(2, "state")]);
    }

    [Fact]
    public async Task ReleaseSession_OfSession_NamesIt()
    {
        await Session().ReleaseSession(TestContext.Current.CancellationToken);

        AssertCalled("/Settlement/ReleaseSession", Field(1, "the session"));
    }

    [Fact]
    public async Task RenewSessionLock_OfSession_TakesTheNewEndOfTheLock()
    {
        // A timestamp of 60 seconds after the epoch.
        host.Answer = Field(1, [0x08, 60]);
        var session = Session();

        await session.RenewSessionLockAsync(TestContext.Current.CancellationToken);

        Assert.Equal(DateTimeOffset.UnixEpoch.AddSeconds(60), session.SessionLockedUntil);
        AssertCalled("/Settlement/RenewSessionLock", Field(1, "the session"));
    }

    private ServiceBusSessionMessageActions Session() => new(host.Client, "the session", DateTimeOffset.UnixEpoch);

    private void AssertCalled(string path, byte[] message)
    {
        var call = Assert.Single(host.Calls);
        Assert.Equal(path, call.Path);
        Assert.Equal(message, call.Message);
    }

    private static void AssertDescribed(string descriptor, object value, object? actual)
    {
        var described = Assert.IsType<DescribedType>(actual);
        Assert.Equal((descriptor, value), (described.Descriptor.ToString(), described.Value));
    }

    private static byte[] Field(int number, string value) => Field(number, Encoding.UTF8.GetBytes(value));

    /// <summary>A field of protobuf's length-delimited kind.</summary>
    private static byte[] Field(int number, byte[] value)
    {
        List<byte> field = [(byte)((number << 3) | 2)];
        var length = value.Length;
        for (; length >= 128; length >>= 7)
        {
            field.Add((byte)((length & 127) | 128));
        }
        return [.. field, (byte)length, .. value];
    }
}
