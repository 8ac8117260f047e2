using Azure.Core;
using Azure.Identity;
using Azure.Storage.Blobs;
using Microsoft.Extensions.Configuration;

namespace Payments.Domain.Storage;

/// <summary>Connects to the app's storage account. The Functions host uses the same settings.</summary>
public static class BlobStorage
{
    /// <summary>
    /// <c>AzureWebJobsStorage</c> is a connection string. For an identity, <c>AzureWebJobsStorage:blobServiceUri</c> is set instead, with
    /// <c>:clientId</c> for a user-assigned identity.
    /// </summary>
    /// <exception cref="InvalidOperationException">Neither is set.</exception>
    public static BlobServiceClient Connect(IConfiguration configuration)
    {
        var section = configuration.GetSection("AzureWebJobsStorage");
        if (section["blobServiceUri"] is { Length: > 0 } uri)
        {
            TokenCredential credential = section["clientId"] is { Length: > 0 } client
                ? new ManagedIdentityCredential(ManagedIdentityId.FromUserAssignedClientId(client))
                : new DefaultAzureCredential();
            return new BlobServiceClient(new Uri(uri), credential);
        }

        return section.Value is { Length: > 0 } connection
            ? new BlobServiceClient(connection)
            : throw new InvalidOperationException("AzureWebJobsStorage (or AzureWebJobsStorage__blobServiceUri) is missing. "
                + "Set one of them: the app keeps files there.");
    }
}
