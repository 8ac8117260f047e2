using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Converters;
using Microsoft.Azure.Functions.Worker.Core;

namespace Payments.ServiceBusExtension.Tests;

public sealed class ConverterTests
{
    private readonly Guid _lock = new("0f8fad5b-d9cb-469f-a165-70867728950e");

    [Fact]
    public async Task Convert_OneMessage_IsThatMessageUnderItsLock()
    {
        var result = await ConvertAsync(Sent("first"));

        var message = Assert.IsType<ServiceBusReceivedMessage>(result.Value);
        Assert.Equal("first", message.Body.ToString());
        Assert.Equal("id of first", message.MessageId);
        Assert.Equal("answer", message.ApplicationProperties["kind"]);
        Assert.Equal(3, message.DeliveryCount);
        Assert.Equal(_lock.ToString(), message.LockToken);
    }

    [Fact]
    public async Task Convert_Batch_IsAnArrayInTheSameOrder()
    {
        var result = await ConvertAsync(new Batch(Sent("first"), Sent("second")));

        var messages = Assert.IsType<ServiceBusReceivedMessage[]>(result.Value);
        Assert.Equal(["first", "second"], messages.Select(message => message.Body.ToString()));
        Assert.All(messages, message => Assert.Equal(_lock.ToString(), message.LockToken));
    }

    [Theory]
    [InlineData("AzureStorageQueues", "application/octet-stream", "Unexpected binding source 'AzureStorageQueues'. Only 'AzureServiceBusReceivedMessage' is supported.")]
    [InlineData("AzureServiceBusReceivedMessage", "application/json", "Unexpected content-type 'application/json'. Only 'application/octet-stream' is supported.")]
    public async Task Convert_DataOfAnotherKind_Fails(string source, string contentType, string error)
    {
        var data = Sent("first") with { From = source, Kind = contentType };

        foreach (object each in new object[] { data, new Batch(data) })
        {
            var result = await ConvertAsync(each);
            Assert.Equal(ConversionStatus.Failed, result.Status);
            Assert.Equal(error, result.Error?.Message);
        }
    }

    [Fact]
    public async Task Convert_ContentShorterThanALockToken_Fails() =>
        Assert.Equal(ConversionStatus.Failed, (await ConvertAsync(Sent("first") with { Bytes = new byte[15] })).Status);

    [Fact]
    public async Task Convert_TextOfAMessage_IsLeftToTheNextConverter() =>
        Assert.Equal(ConversionStatus.Unhandled, (await ConvertAsync("text")).Status);

    private static async Task<ConversionResult> ConvertAsync(object source) =>
        await new ServiceBusReceivedMessageConverter().ConvertAsync(new Context(source));

    /// <summary>A message as the host sends it to the worker.</summary>
    private One Sent(string body)
    {
        var message = ServiceBusModelFactory.ServiceBusReceivedMessage(
            BinaryData.FromString(body), "id of " + body, deliveryCount: 3, properties: new Dictionary<string, object> { ["kind"] = "answer" });
        return new([.. _lock.ToByteArray(), .. message.GetRawAmqpMessage().ToBytes().ToArray()]);
    }

    private sealed record One(byte[] Bytes)
    {
        public string From { get; init; } = "AzureServiceBusReceivedMessage";

        public string Kind { get; init; } = "application/octet-stream";
    }

    private sealed record Batch(params One[] Messages);

    private sealed class Data(One sent) : ModelBindingData
    {
        public override string Version => "1.0";

        public override string Source => sent.From;

        public override BinaryData Content => new(sent.Bytes);

        public override string ContentType => sent.Kind;
    }

    private sealed class Collection(Batch batch) : CollectionModelBindingData
    {
        public override ModelBindingData[] ModelBindingData => [.. batch.Messages.Select(message => new Data(message))];
    }

    private sealed class Context(object source) : ConverterContext
    {
        public override Type TargetType => typeof(ServiceBusReceivedMessage);

        public override object? Source => source switch
        {
            One one => new Data(one),
            Batch batch => new Collection(batch),
            _ => source,
        };

        public override FunctionContext FunctionContext => throw new NotSupportedException();

        public override IReadOnlyDictionary<string, object> Properties { get; } = new Dictionary<string, object>();
    }
}
