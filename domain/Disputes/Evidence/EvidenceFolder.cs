using System.Security.Cryptography;
using System.Text.Json;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Disputes.Evidence;

/// <param name="Text">Replaces the text if it is given.</param>
/// <param name="Fields">Each value replaces the field of its name. Null removes the field.</param>
public sealed record SaveEvidenceRequest(string? Text, IReadOnlyDictionary<string, string?>? Fields);

/// <summary>
/// The evidence that a merchant collects for a dispute until it is submitted. Saving it again changes nothing: names identify fields, and
/// content identifies files.
/// </summary>
public sealed class EvidenceFolder(NpgsqlDataSource dataSource, DisputeReads reads, BlobServiceClient blobs, EvidenceScanner scanner, TimeProvider time)
{
    public const string Container = "dispute-evidence";

    public async Task<Result<EvidencePack>> GetAsync(MerchantId merchant, DisputeId id, CancellationToken ct) =>
        await reads.GetAsync(merchant, id, ct) is null ? Refusal.NotFound(id.ToString()) : await LoadAsync(dataSource, merchant, id, ct);

    public async Task<Result<EvidencePack>> SaveAsync(MerchantId merchant, DisputeId id, SaveEvidenceRequest request, CancellationToken ct)
    {
        if (EvidenceRules.CheckDraft(request.Text, request.Fields) is { } refusal)
            return refusal;
        if (await OpenAsync(merchant, id, ct) is { } closed)
            return closed;
        await using var command = dataSource.CreateCommand(EvidenceSql.SaveDraft);
        command.Parameters.Add(Uuid(merchant.Value));
        command.Parameters.Add(Uuid(id.Value));
        command.Parameters.Add(Text(request.Text));
        command.Parameters.Add(Text(JsonSerializer.Serialize(new Dictionary<string, string?>(request.Fields ?? new Dictionary<string, string?>())!, EvidenceJson.Default.DictionaryStringString)));
        command.Parameters.Add(Time());
        command.Parameters.Add(new NpgsqlParameter { Value = EvidenceRules.MaximumFields, NpgsqlDbType = NpgsqlDbType.Integer });
        return await command.ExecuteNonQueryAsync(ct) == 0
            ? Refusal.Invalid("fields", $"`fields` must hold at most {EvidenceRules.MaximumFields} fields, with the saved ones included.")
            : await LoadAsync(dataSource, merchant, id, ct);
    }

    /// <summary>Stores a file under its hash if its type, its size and the scanner allow it.</summary>
    public async Task<Result<EvidencePack>> AddFileAsync(MerchantId merchant, DisputeId id, string purpose, string name, byte[] content, CancellationToken ct)
    {
        if (purpose.Length is 0 or > 60)
            return Refusal.Invalid("purpose", "`purpose` must say in 1 to 60 characters what the file shows, such as receipt.");
        if (name.Length is 0 or > 200 || name.Any(char.IsControl))
            return Refusal.Invalid("name", "`name` must have 1 to 200 characters.");
        if (content.Length > EvidenceRules.MaximumFile)
            return new Refusal(RefusalCode.BodyTooLarge, $"The file must have at most {EvidenceRules.MaximumFile} bytes.");
        if (EvidenceRules.TypeOf(content) is not { } type)
            return Refusal.Invalid("file", "The file must be a PDF, a PNG or a JPEG.");
        if (await OpenAsync(merchant, id, ct) is { } closed)
            return closed;
        if ((await LoadAsync(dataSource, merchant, id, ct)).Files.Count >= EvidenceRules.MaximumFiles)
            return new Refusal(RefusalCode.StateConflict, $"The dispute has {EvidenceRules.MaximumFiles} files. Delete one first.");
        if (await scanner.ScanAsync(content, ct) is { } infected)
            return infected;
        var hash = SHA256.HashData(content);
        var container = blobs.GetBlobContainerClient(Container);
        await container.CreateIfNotExistsAsync(cancellationToken: ct);

        // The blob is stored first, so that no row points to missing content. Content without a row is harmless.
        await container.GetBlobClient($"{merchant}/{id}/{Convert.ToHexStringLower(hash)}").UploadAsync(
            BinaryData.FromBytes(content), new BlobUploadOptions { HttpHeaders = new BlobHttpHeaders { ContentType = type } }, ct);
        await using var command = dataSource.CreateCommand(EvidenceSql.AddFile);
        command.Parameters.Add(Uuid(merchant.Value));
        command.Parameters.Add(Uuid(id.Value));
        command.Parameters.Add(new NpgsqlParameter { Value = hash, NpgsqlDbType = NpgsqlDbType.Bytea });
        command.Parameters.Add(Text(purpose));
        command.Parameters.Add(Text(name));
        command.Parameters.Add(Text(type));
        command.Parameters.Add(new NpgsqlParameter { Value = content.Length, NpgsqlDbType = NpgsqlDbType.Integer });
        command.Parameters.Add(Time());
        await command.ExecuteNonQueryAsync(ct);
        return await LoadAsync(dataSource, merchant, id, ct);
    }

    /// <summary>Removes a file from the draft. An answer that was submitted with it keeps it, so its content stays in storage.</summary>
    public async Task<Result<EvidencePack>> RemoveFileAsync(MerchantId merchant, DisputeId id, string hash, CancellationToken ct)
    {
        if (await OpenAsync(merchant, id, ct) is { } closed)
            return closed;
        await using var command = dataSource.CreateCommand(EvidenceSql.RemoveFile);
        command.Parameters.Add(Uuid(merchant.Value));
        command.Parameters.Add(Uuid(id.Value));
        command.Parameters.Add(Text(hash));
        return await command.ExecuteNonQueryAsync(ct) == 0 ? Refusal.NotFound(hash) : await LoadAsync(dataSource, merchant, id, ct);
    }

    /// <summary>
    /// Suggests evidence from the platform's data: the charge, the customer, the refunds, and the delivery notes in the charge's metadata
    /// (names that begin with <c>delivery</c>, <c>shipping</c> or <c>tracking</c>). It saves nothing.
    /// </summary>
    public async Task<Result<EvidencePack>> SuggestAsync(MerchantId merchant, DisputeId id, CancellationToken ct)
    {
        if (await reads.GetAsync(merchant, id, ct) is not { } dispute)
            return Refusal.NotFound(id.ToString());
        await using var command = dataSource.CreateCommand(EvidenceSql.ChargeFacts);
        command.Parameters.Add(Uuid(merchant.Value));
        command.Parameters.Add(Uuid(dispute.Charge.Value));
        await using var row = await command.ExecuteReaderAsync(ct);
        if (!await row.ReadAsync(ct))
            throw new InvalidOperationException($"The dispute {id} is of the charge {dispute.Charge}, which is not there.");
        var currency = Currency.Of(row.GetString(0));
        var fields = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["charge"] = dispute.Charge.ToString(),
            ["charged_on"] = row.GetDateTime(8).ToString("yyyy-MM-dd HH:mm 'UTC'", System.Globalization.CultureInfo.InvariantCulture),
            ["charged_amount"] = new Money(row.GetInt64(1), currency).ToString(),
        };
        Add("customer", 3);
        Add("product_description", 4);
        Add("statement_descriptor", 5);
        if (row.GetInt64(2) > 0)
            fields["refunded_amount"] = new Money(row.GetInt64(2), currency).ToString();
        Add("refunds_in_minor_units", 9);
        if (!row.IsDBNull(6))
        {
            var card = JsonElement.Parse(row.GetString(6));
            foreach (var name in (string[])["brand", "last4", "country"])
            {
                if (card.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String)
                    fields[$"card_{name}"] = value.GetString()!;
            }
        }

        foreach (var property in JsonElement.Parse(row.GetString(7)).EnumerateObject())
        {
            if (property.Name.StartsWith("delivery", StringComparison.Ordinal) || property.Name.StartsWith("shipping", StringComparison.Ordinal)
                || property.Name.StartsWith("tracking", StringComparison.Ordinal))
            {
                fields[property.Name] = property.Value.ToString();
            }
        }

        return new EvidencePack(null, fields, []);

        void Add(string name, int column)
        {
            if (!row.IsDBNull(column))
                fields[name] = row.GetString(column);
        }
    }

    internal static async Task<EvidencePack> LoadAsync(NpgsqlDataSource dataSource, MerchantId merchant, DisputeId id, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        string? text = null;
        IReadOnlyDictionary<string, string> fields = new Dictionary<string, string>();
        await using (var draft = new NpgsqlCommand(EvidenceSql.Draft, connection) { Parameters = { Uuid(merchant.Value), Uuid(id.Value) } })
        {
            await using var row = await draft.ExecuteReaderAsync(ct);
            if (await row.ReadAsync(ct))
            {
                text = row.IsDBNull(0) ? null : row.GetString(0);
                fields = JsonSerializer.Deserialize(row.GetString(1), EvidenceJson.Default.DictionaryStringString)!;
            }
        }

        var files = new List<EvidenceFile>();
        await using (var list = new NpgsqlCommand(EvidenceSql.Files, connection) { Parameters = { Uuid(merchant.Value), Uuid(id.Value) } })
        {
            await using var row = await list.ExecuteReaderAsync(ct);
            while (await row.ReadAsync(ct))
                files.Add(new EvidenceFile(row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(3), row.GetInt32(4)));
        }

        return new EvidencePack(text, fields, files);
    }

    /// <summary>A refusal if the dispute does not exist or awaits no response, otherwise null.</summary>
    private async Task<Refusal?> OpenAsync(MerchantId merchant, DisputeId id, CancellationToken ct) =>
        await reads.GetAsync(merchant, id, ct) switch
        {
            null => Refusal.NotFound(id.ToString()),
            { State.Status: var status } when DisputeTransitions.AwaitsResponse(status) => null,
            { State.Status: var status } => new Refusal(RefusalCode.StateConflict, $"The dispute is {Database.DbText.Of(status)} and needs no response."),
        };

    private NpgsqlParameter Time() => new() { Value = time.GetUtcNow().UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz };

    private static NpgsqlParameter Uuid(Guid value) => new() { Value = value, NpgsqlDbType = NpgsqlDbType.Uuid };

    private static NpgsqlParameter Text(string? value) => new() { Value = (object?)value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text };
}
