using System.Text;
using Azure.Storage.Blobs;
using Azure.Storage.Queues;
using Payments.Kit;

[assembly: AssemblyFixture(typeof(FunctionsHost.Tests.StorageServer))]

namespace FunctionsHost.Tests;

/// <summary>
/// The storage of the test run: Azurite, started when a test first needs it, unless <c>PAYMENTS_TEST_STORAGE</c> names another.
/// </summary>
public sealed class StorageServer : IAsyncLifetime
{
    private readonly Lazy<Task<Azurite>> _azurite;
    private readonly string _logs = Directory.CreateTempSubdirectory("functionshost-storage").FullName;
    private MachineTurn? _turn;

    public StorageServer() => _azurite = new Lazy<Task<Azurite>>(() => Azurite.StartAsync(_logs));

    /// <summary>Test assemblies that start processes take turns.</summary>
    public async ValueTask InitializeAsync() => _turn = await MachineTurn.WaitAsync("tests");

    public async Task<string> ConnectionAsync() => Environment.GetEnvironmentVariable("PAYMENTS_TEST_STORAGE") is { Length: > 0 } named
        ? named
        : (await _azurite.Value).ConnectionString;

    public async ValueTask DisposeAsync()
    {
        if (_azurite.IsValueCreated)
            await (await _azurite.Value).DisposeAsync();
        Directory.Delete(_logs, recursive: true);
        _turn?.Dispose();
    }
}

/// <summary>Tests over a storage account.</summary>
public abstract class StorageTests(StorageServer server) : IAsyncLifetime
{
    private TestStorage? _made;

    private protected TestStorage Storage => _made!;

    public async ValueTask InitializeAsync() => _made = new TestStorage(await server.ConnectionAsync());

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}

/// <summary>Names in the storage that no other test uses.</summary>
internal sealed class TestStorage(string connection)
{
    public string Connection => connection;

    public string Name { get; } = "t" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N");

    public QueueClient Queue => new(Connection, Name);

    public QueueClient Poison => new(Connection, Name + "-poison");

    public BlobContainerClient Container => new(Connection, Name);

    /// <summary>The host's settings for this storage, with more of them.</summary>
    public Dictionary<string, string> With(params (string Name, string Value)[] more)
    {
        var settings = new Dictionary<string, string>
        {
            ["AzureWebJobsStorage"] = Connection,
            ["AzureFunctionsWebHost:hostid"] = Name,
            ["Queue"] = Name,
            ["Inbox"] = $"{Name}/{{partner}}/{{name}}.csv",
            ["FunctionsHost:BlobPolling"] = "00:00:00.100",
            ["AzureFunctionsJobHost:extensions:queues:maxPollingInterval"] = "00:00:00.100",
            ["AzureFunctionsJobHost:extensions:queues:maxDequeueCount"] = "3",
            ["AzureFunctionsJobHost:extensions:blobs:poisonBlobThreshold"] = "2",
        };
        foreach (var (name, value) in more)
            settings[name] = value;
        return settings;
    }

    public Task SendAsync(string text) => SendRawAsync(Convert.ToBase64String(Encoding.UTF8.GetBytes(text)));

    public async Task SendRawAsync(string text)
    {
        await Queue.CreateIfNotExistsAsync();
        await Queue.SendMessageAsync(text);
    }

    public async Task UploadAsync(string name, string content)
    {
        await Container.CreateIfNotExistsAsync();
        await Container.GetBlobClient(name).UploadAsync(BinaryData.FromString(content), overwrite: true);
    }

    /// <summary>Messages that are in the queue, shown or hidden.</summary>
    public static async Task<int> CountAsync(QueueClient queue) =>
        await queue.ExistsAsync() ? (await queue.GetPropertiesAsync()).Value.ApproximateMessagesCount : 0;
}
