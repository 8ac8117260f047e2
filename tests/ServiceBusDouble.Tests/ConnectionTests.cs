using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Azure.Core;
using Azure.Messaging.ServiceBus;

namespace Payments.Local.ServiceBus.Tests;

public sealed class ConnectionTests
{
    [Fact]
    public async Task Connect_TokenRefused_IsUnauthorized()
    {
        await using var bus = ServiceBusDouble.Start(new ServiceBusDoubleOptions { Authorize = (_, _) => false });
        bus.AddQueue("q");
        await using var client = new ServiceBusClient(bus.ConnectionString);
        await using var sender = client.CreateSender("q");

        await Assert.ThrowsAsync<UnauthorizedAccessException>(() => sender.SendMessageAsync(new ServiceBusMessage("x")));
    }

    [Fact]
    public async Task Connect_WithTokenCredentialOverTls_PutsTheTokenOfTheIdentity()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var now = TimeProvider.System.GetUtcNow();
        using var selfSigned = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        using var certificate = X509CertificateLoader.LoadPkcs12(selfSigned.Export(X509ContentType.Pfx), null);
        var tokens = new List<string>();
        await using var bus = ServiceBusDouble.Start(new ServiceBusDoubleOptions
        {
            Certificate = certificate,
            Authorize = (_, token) =>
            {
                lock (tokens)
                    tokens.Add(token);
                return true;
            },
        });
        bus.AddQueue("q");
        await using var client = new ServiceBusClient(
            "payments.servicebus.windows.net",
            DelegatedTokenCredential.Create((_, _) => new AccessToken("the.jwt.token", now.AddHours(1))),
            new ServiceBusClientOptions
            {
                CustomEndpointAddress = new Uri($"sb://localhost:{bus.Port}"),
                CertificateValidationCallback = (_, presented, _, _) => presented!.GetCertHashString() == certificate.GetCertHashString(),
            });
        await using var sender = client.CreateSender("q");

        await sender.SendMessageAsync(new ServiceBusMessage("x"));

        Assert.Equal(1, bus.Counts("q").Ready);
        Assert.Contains("the.jwt.token", tokens);
    }

    /// <summary>Whoever gets into a broker that has gone is served nothing, hears of no error, and never looks for the one that took its place.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Dispose_WhileAConnectionIsBeingMade_EndsThatConnection(int stepsBefore)
    {
        // The frames of AMQP 1.0, part 5.3.2 (SASL) and part 2.4 (header and open).
        byte[][] steps =
        [
            [.. "AMQP"u8, 3, 1, 0, 0],
            [0, 0, 0, 23, 2, 1, 0, 0, 0, 0x53, 0x41, 0xC0, 10, 1, 0xA3, 7, .. "MSSBCBS"u8],
            [.. "AMQP"u8, 0, 1, 0, 0],
            [0, 0, 0, 20, 2, 0, 0, 0, 0, 0x53, 0x10, 0xC0, 7, 1, 0xA1, 4, .. "test"u8],
        ];
        var bus = ServiceBusDouble.Start();
        using var socket = new TcpClient("localhost", bus.Port);
        await using var stream = socket.GetStream();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var buffer = new byte[4096];
        foreach (var step in steps[..stepsBefore])
        {
            await stream.WriteAsync(step, patience.Token);
            Assert.NotEqual(0, await stream.ReadAsync(buffer, patience.Token));
        }

        await bus.DisposeAsync();

        try
        {
            foreach (var step in steps[stepsBefore..])
            {
                await stream.WriteAsync(step, patience.Token);
                if (await stream.ReadAsync(buffer, patience.Token) == 0)
                    return;
            }

            while (await stream.ReadAsync(buffer, patience.Token) > 0)
            {
                // What it was told before the end.
            }
        }
        catch (IOException)
        {
            // Ended as well.
        }
    }

    [Fact]
    public void EntityFile_AllSettings_AreRead()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, """
                { "queues": { "a": { "lockDuration": "00:01:00", "maxDeliveryCount": 5, "duplicateWindow": "00:10:00",
                                     "requiresSession": true, "deadLetterOnExpiry": true, "defaultTimeToLive": "14.00:00:00" } },
                  "topics": { "t": { "s": {} } } }
                """);

            var file = EntityFile.Read(path);

            Assert.Equal(new QueueOptions
            {
                LockDuration = TimeSpan.FromMinutes(1),
                MaxDeliveryCount = 5,
                DuplicateWindow = TimeSpan.FromMinutes(10),
                RequiresSession = true,
                DeadLetterOnExpiry = true,
                DefaultTimeToLive = TimeSpan.FromDays(14),
            }, file.Queues["a"]);
            using var bus = ServiceBusDouble.Start(new ServiceBusDoubleOptions { Entities = file });
            Assert.Equal(0, bus.Counts(ServiceBusDouble.SubscriptionOf("t", "s")).Total);

            File.WriteAllText(path, """{ "queues": { "a": { "lockdurationn": "00:01:00" } } }""");
            Assert.Throws<JsonException>(() => EntityFile.Read(path));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
