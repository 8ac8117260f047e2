using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;

namespace Payments.ServiceBusExtension.Tests;

/// <summary>Functions whose metadata the worker's source generator writes into this assembly, as it does for an app. Nobody calls them.</summary>
public static class SampleFunctions
{
    [Function("One")]
    public static void One(
        [ServiceBusTrigger("orders", Connection = "Bus")] ServiceBusReceivedMessage message, ServiceBusMessageActions actions) => Nothing(message, actions);

    [Function("Batch")]
    public static void Batch(
        [ServiceBusTrigger("orders", IsBatched = true, AutoCompleteMessages = false)] ServiceBusReceivedMessage[] messages) => Nothing(messages);

    [Function("Session")]
    public static void Session(
        [ServiceBusTrigger("news", "mine", Connection = "Bus", IsSessionsEnabled = true)] ServiceBusReceivedMessage message,
        ServiceBusSessionMessageActions session) => Nothing(message, session);

    [Function("Text")]
    public static void Text([ServiceBusTrigger("orders")] string message) => Nothing(message);

    private static void Nothing(params object[] _)
    {
    }
}

public sealed class MetadataTests
{
    // The host reads these names. They follow the trigger attribute of Microsoft's package, version 5.24.0.
    [Theory]
    [InlineData("One", """{"name":"message","type":"serviceBusTrigger","direction":"In","properties":{"supportsDeferredBinding":"True"},"queueName":"orders","connection":"Bus","cardinality":"One"}""")]
    [InlineData("Batch", """{"name":"messages","type":"serviceBusTrigger","direction":"In","properties":{"supportsDeferredBinding":"True"},"queueName":"orders","cardinality":"Many","autoCompleteMessages":false}""")]
    [InlineData("Session", """{"name":"message","type":"serviceBusTrigger","direction":"In","properties":{"supportsDeferredBinding":"True"},"topicName":"news","subscriptionName":"mine","connection":"Bus","isSessionsEnabled":true,"cardinality":"One"}""")]
    [InlineData("Text", """{"name":"message","type":"serviceBusTrigger","direction":"In","queueName":"orders","cardinality":"One","dataType":"String"}""")]
    public async Task GeneratedMetadata_OfTrigger_IsThatOfThePackage(string function, string binding)
    {
        var functions = await new GeneratedFunctionMetadataProvider().GetFunctionMetadataAsync("");

        Assert.Equal([binding], functions.Single(each => each.Name == function).RawBindings);
    }
}
