using Microsoft.Azure.Functions.Worker.Converters;
using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;

namespace Microsoft.Azure.Functions.Worker;

/// <summary>
/// Runs a function for the messages of a queue or of a subscription. The source generators of the worker's SDK turn the constructor's parameters and the
/// properties that are set into the function's binding, so their names are part of the contract with the host.
/// </summary>
[AttributeUsage(AttributeTargets.Parameter)]
[InputConverter(typeof(ServiceBusReceivedMessageConverter))]
[ConverterFallbackBehavior(ConverterFallbackBehavior.Default)]
public sealed class ServiceBusTriggerAttribute : TriggerBindingAttribute, ISupportCardinality
{
    /// <summary>Receives from a queue.</summary>
    public ServiceBusTriggerAttribute(string queueName) => QueueName = queueName;

    /// <summary>Receives from a subscription of a topic.</summary>
    public ServiceBusTriggerAttribute(string topicName, string subscriptionName) => (TopicName, SubscriptionName) = (topicName, subscriptionName);

    /// <summary>Null for a subscription.</summary>
    public string? QueueName { get; }

    /// <summary>Null for a queue.</summary>
    public string? TopicName { get; }

    /// <summary>Null for a queue.</summary>
    public string? SubscriptionName { get; }

    /// <summary>The name of the setting, or of the group of settings, that says where the namespace is.</summary>
    public string? Connection { get; set; }

    /// <summary>Whether the queue or subscription has sessions.</summary>
    public bool IsSessionsEnabled { get; set; }

    /// <summary>Whether one call of the function gets several messages.</summary>
    [DefaultValue(false)]
    public bool IsBatched { get; set; }

    /// <summary>Whether the host completes the messages of a call that succeeds. Unless it is set, host.json's <c>autoCompleteMessages</c> applies.</summary>
    public bool AutoCompleteMessages { get; set; }

    Cardinality ISupportCardinality.Cardinality
    {
        get => IsBatched ? Cardinality.Many : Cardinality.One;
        set => IsBatched = value == Cardinality.Many;
    }
}
