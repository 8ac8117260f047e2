using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Disputes.Evidence;
using Payments.Domain.Providers.Credentials;

namespace Payments.Domain.Providers.Stripe;

public static class StripeType
{
    private static readonly Uri Files = new("https://files.stripe.com/");

    public static ProviderType Type { get; } = new(
        StripeDisputes.Provider,
        [StripeClient.SecretKey, StripeClient.Account],
        new Uri("https://api.stripe.com/"),
        setup => new StripeProvider(setup.Name, setup.Http, setup.Access, setup.Settings["DescriptorPrefix"]),
        name => new StripePaymentEvents(name))
    {
        DisputeEvents = name => [new StripeDisputeMapper(name), new StripeEarlyWarningMapper(name)],
        Disputes = CreateDisputes,
        ModeOfEvent = payload =>
            payload.TryGetProperty("livemode", out var live) && live.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? live.GetBoolean() ? Mode.Live : Mode.Test
            : null,
        ModeOf = credentials => ModeOf(credentials[StripeClient.SecretKey.Name]),
    };

    // Secret and restricted keys: https://docs.stripe.com/keys.
    private static Mode? ModeOf(string key) =>
        key.StartsWith("sk_test_", StringComparison.Ordinal) || key.StartsWith("rk_test_", StringComparison.Ordinal) ? Mode.Test
        : key.StartsWith("sk_live_", StringComparison.Ordinal) || key.StartsWith("rk_live_", StringComparison.Ordinal) ? Mode.Live
        : null;

    private static StripeDisputeProvider CreateDisputes(ProviderSetup setup, IServiceProvider services)
    {
        var owners = services.GetRequiredService<DisputeOwners>();
        var blobs = services.GetRequiredService<BlobServiceClient>();
        return new StripeDisputeProvider(
            setup.Name,
            setup.Http,
            setup.HttpTo(setup.Settings["FilesAddress"] is { Length: > 0 } address ? new Uri(address.TrimEnd('/') + '/') : Files),
            async (disputeId, ct) => await owners.FindAsync(setup.Name, disputeId, ct) is var (merchant, _) ? await setup.Credentials(merchant, ct) : null,
            async (disputeId, file, ct) => await owners.FindAsync(setup.Name, disputeId, ct) is var (merchant, dispute)
                ? await ContentAsync(blobs.GetBlobContainerClient(EvidenceFolder.Container).GetBlobClient($"{merchant}/{dispute}/{file.Hash}"), ct)
                : null,
            services.GetRequiredService<TimeProvider>());
    }

    private static async Task<byte[]?> ContentAsync(BlobClient blob, CancellationToken ct)
    {
        try
        {
            return (await blob.DownloadContentAsync(ct)).Value.Content.ToArray();
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }
}
