using System.Text.Json;
using System.Text.Json.Serialization;

namespace Payments.Local.ServiceBus;

/// <summary>The entities of a JSON file: queues by name, and topics by name with their subscriptions by name.</summary>
public sealed record EntityFile
{
    // By reflection: a source-generated context would set every missing init property to zero instead of its default.
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        ReadCommentHandling = JsonCommentHandling.Skip,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    public IReadOnlyDictionary<string, QueueOptions> Queues { get; init; } = new Dictionary<string, QueueOptions>();

    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, QueueOptions>> Topics { get; init; } =
        new Dictionary<string, IReadOnlyDictionary<string, QueueOptions>>();

    /// <exception cref="JsonException">The file is not of this form, or has a setting that does not exist.</exception>
    public static EntityFile Read(string path)
    {
        using var file = File.OpenRead(path);
        return JsonSerializer.Deserialize<EntityFile>(file, Json) ?? new EntityFile();
    }

    internal void AddTo(Broker broker)
    {
        foreach (var (name, options) in Queues)
            broker.AddQueue(name, options);
        foreach (var (topic, subscriptions) in Topics)
        {
            foreach (var (subscription, options) in subscriptions)
                broker.AddSubscription(topic, subscription, options);
        }
    }
}
