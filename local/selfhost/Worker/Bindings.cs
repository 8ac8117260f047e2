using System.Globalization;
using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;

namespace Microsoft.Azure.Functions.Worker.Extensions.Abstractions
{
    /// <summary>What ties a function to the outside: a trigger, an input or an output.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public abstract class BindingAttribute : Attribute;

    /// <summary>Marks the parameter that starts a function.</summary>
    [AttributeUsage(AttributeTargets.Parameter)]
    public abstract class TriggerBindingAttribute : BindingAttribute;
}

namespace Microsoft.Azure.Functions.Worker
{

    /// <summary>Makes a public method a function. Names are unique in an app, whatever their case.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public class FunctionAttribute(string name) : Attribute
    {
        public string Name { get; } = name;
    }

    /// <summary>Runs a failed timer again; legal on no other trigger that this host has.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public abstract class RetryAttribute : Attribute
    {
        /// <summary>Further attempts after the first; -1 is without end.</summary>
        public int MaxRetryCount { get; protected init; }

        private protected static TimeSpan Parse(string interval) =>
            TimeSpan.TryParse(interval, CultureInfo.InvariantCulture, out var value)
                ? value
                : throw new ArgumentException($"'{interval}' is not a time span (hh:mm:ss).", nameof(interval));

        internal abstract TimeSpan DelayBefore(int retry);
    }

    /// <summary>Waits the same time before each retry.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class FixedDelayRetryAttribute : RetryAttribute
    {
        private readonly TimeSpan _delay;

        public FixedDelayRetryAttribute(int maxRetryCount, string delayInterval)
        {
            MaxRetryCount = maxRetryCount;
            DelayInterval = delayInterval;
            _delay = Parse(delayInterval);
        }

        public string DelayInterval { get; }

        internal override TimeSpan DelayBefore(int retry) => _delay;
    }

    /// <summary>Doubles the wait before each retry, from the minimum up to the maximum.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class ExponentialBackoffRetryAttribute : RetryAttribute
    {
        private readonly TimeSpan _minimum;
        private readonly TimeSpan _maximum;

        public ExponentialBackoffRetryAttribute(int maxRetryCount, string minimumInterval, string maximumInterval)
        {
            MaxRetryCount = maxRetryCount;
            MinimumInterval = minimumInterval;
            MaximumInterval = maximumInterval;
            _minimum = Parse(minimumInterval);
            _maximum = Parse(maximumInterval);
        }

        public string MinimumInterval { get; }

        public string MaximumInterval { get; }

        internal override TimeSpan DelayBefore(int retry)
        {
            var wanted = _minimum * Math.Pow(2, Math.Min(retry - 1, 30));
            return wanted < _maximum ? wanted : _maximum;
        }
    }

    /// <summary>Which key the platform asks of a caller. This host asks none, as Core Tools does not.</summary>
    public enum AuthorizationLevel
    {
        Anonymous = 0,
        User = 1,
        Function = 2,
        System = 3,
        Admin = 4,
    }

    /// <summary>Starts a function by an HTTP request. Without methods it answers all of them.</summary>
    [AttributeUsage(AttributeTargets.Parameter)]
    public sealed class HttpTriggerAttribute : TriggerBindingAttribute
    {
        public HttpTriggerAttribute()
        {
        }

        public HttpTriggerAttribute(params string[] methods) => Methods = methods;

        public HttpTriggerAttribute(AuthorizationLevel authLevel) => AuthLevel = authLevel;

        public HttpTriggerAttribute(AuthorizationLevel authLevel, params string[] methods)
        {
            AuthLevel = authLevel;
            Methods = methods;
        }

        /// <summary>Route template below the route prefix; the function's name when null.</summary>
        public string? Route { get; set; }

        public string[]? Methods { get; }

        public AuthorizationLevel AuthLevel { get; }
    }

    /// <summary>Starts a function on a schedule: NCRONTAB of five or six fields, a time span, or a whole <c>%setting%</c>. UTC.</summary>
    [AttributeUsage(AttributeTargets.Parameter)]
    public sealed class TimerTriggerAttribute(string schedule) : TriggerBindingAttribute
    {
        public string Schedule { get; } = schedule;

        /// <summary>Persists the schedule, so that a missed occurrence is noticed. Off for schedules below a minute.</summary>
        public bool UseMonitor { get; set; } = true;

        public bool RunOnStartup { get; set; }
    }

    /// <summary>Starts a function by a message of a storage queue.</summary>
    [AttributeUsage(AttributeTargets.Parameter)]
    public sealed class QueueTriggerAttribute(string queueName) : TriggerBindingAttribute
    {
        public string QueueName { get; } = queueName;

        /// <summary>Name of the connection setting; <c>AzureWebJobsStorage</c> when null.</summary>
        public string? Connection { get; set; }
    }

    /// <summary>How new blobs are noticed.</summary>
    public enum BlobTriggerSource
    {
        LogsAndContainerScan,
        EventGrid,
    }

    /// <summary>Starts a function for each new or changed blob whose path matches <c>container/{name}</c>.</summary>
    [AttributeUsage(AttributeTargets.Parameter)]
    public sealed class BlobTriggerAttribute(string blobPath) : TriggerBindingAttribute
    {
        public string BlobPath { get; } = blobPath;

        /// <summary>Name of the connection setting; <c>AzureWebJobsStorage</c> when null.</summary>
        public string? Connection { get; set; }

        public BlobTriggerSource Source { get; set; } = BlobTriggerSource.LogsAndContainerScan;
    }

    /// <summary>Starts a function by a message of a Service Bus queue or subscription.</summary>
    [AttributeUsage(AttributeTargets.Parameter)]
    public sealed class ServiceBusTriggerAttribute : TriggerBindingAttribute
    {
        public ServiceBusTriggerAttribute(string queueName) => QueueName = queueName;

        public ServiceBusTriggerAttribute(string topicName, string subscriptionName)
        {
            TopicName = topicName;
            SubscriptionName = subscriptionName;
        }

        /// <summary>Name of the connection setting; <c>AzureWebJobsServiceBus</c> when null.</summary>
        public string? Connection { get; set; }

        public string? QueueName { get; }

        public string? TopicName { get; }

        public string? SubscriptionName { get; }

        public bool IsSessionsEnabled { get; set; }

        public bool IsBatched { get; set; }

        /// <summary>Unset means what host.json says, which is true by default, although an unset attribute reads false.</summary>
        public bool AutoCompleteMessages { get; set; }
    }

    /// <summary>What a timer function is told of its schedule.</summary>
    public class TimerInfo
    {
        /// <summary>Null where the schedule is not monitored.</summary>
        public ScheduleStatus? ScheduleStatus { get; set; }

        /// <summary>True when this run stands for an occurrence that was missed.</summary>
        public bool IsPastDue { get; set; }
    }

    /// <summary>Where a schedule stands, in UTC.</summary>
    public class ScheduleStatus
    {
        public DateTime Last { get; set; }

        public DateTime Next { get; set; }

        public DateTime LastUpdated { get; set; }
    }
}
