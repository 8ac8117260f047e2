using System.Reflection;
using Azure.Core.Serialization;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Specialized;
using Payments.SelfHost.Hosting;

namespace Payments.SelfHost.Blobs;

/// <summary>The blob that started a function. Its content is read only when a parameter asks for it.</summary>
internal sealed record BlobInput(BlobContainerClient Container, string BlobName)
{
    public async ValueTask<object?> ConvertAsync(ParameterInfo parameter, ObjectSerializer serializer, CancellationToken cancellation)
    {
        var type = parameter.ParameterType;
        if (type == typeof(BlobContainerClient))
            return Container;
        if (type == typeof(BlobClient))
            return Container.GetBlobClient(BlobName);
        if (type == typeof(BlobBaseClient))
            return Container.GetBlobBaseClient(BlobName);
        if (type == typeof(BlockBlobClient))
            return Container.GetBlockBlobClient(BlobName);
        if (type == typeof(AppendBlobClient))
            return Container.GetAppendBlobClient(BlobName);
        if (type == typeof(PageBlobClient))
            return Container.GetPageBlobClient(BlobName);
        var blob = Container.GetBlobClient(BlobName);
        if (type == typeof(Stream))
            return (await blob.DownloadStreamingAsync(cancellationToken: cancellation)).Value.Content;
        var content = (await blob.DownloadContentAsync(cancellation)).Value.Content;
        return ParameterBinders.ConvertTo(parameter, content, serializer);
    }
}
