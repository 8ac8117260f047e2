using System.Text;
using Azure.Storage.Blobs;
using Azure.Storage.Queues;

namespace Payments.SelfHost.Tests;

/// <summary>The storage of the tests, and names in it that no other test uses.</summary>
internal sealed class TestStorage
{
    private TestStorage(string connection) => Connection = connection;

    public string Connection { get; }

    public string Name { get; } = "t" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N");

    public Dictionary<string, string?> Settings => new()
    {
        ["AzureWebJobsStorage"] = Connection,
        ["AzureFunctionsWebHost:hostid"] = Name,
        ["Queue"] = Name,
        ["Inbox"] = $"{Name}/{{partner}}/{{name}}.csv",
        ["SelfHost:BlobPolling"] = "00:00:00.100",
    };

    public QueueClient Queue => new(Connection, Name);

    public QueueClient Poison => new(Connection, Name + "-poison");

    public BlobContainerClient Container => new(Connection, Name);

    public static TestStorage Open()
    {
        var connection = Environment.GetEnvironmentVariable("PAYMENTS_TEST_STORAGE");
        if (string.IsNullOrEmpty(connection))
        {
            const string why = "PAYMENTS_TEST_STORAGE is not set: ./test starts the storage and sets it.";
            if (Environment.GetEnvironmentVariable("CI") == "true")
                Assert.Fail(why);
            Assert.Skip(why);
        }
        return new TestStorage(connection);
    }

    public async Task SendAsync(string text, bool base64 = true)
    {
        await Queue.CreateIfNotExistsAsync();
        await Queue.SendMessageAsync(base64 ? Convert.ToBase64String(Encoding.UTF8.GetBytes(text)) : text);
    }

    /// <summary>Messages that are in the queue, shown or hidden.</summary>
    public static async Task<int> CountAsync(QueueClient queue) =>
        await queue.ExistsAsync() ? (await queue.GetPropertiesAsync()).Value.ApproximateMessagesCount : 0;
}
