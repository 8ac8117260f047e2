using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using Payments.Kit;

namespace Payments.Functions.Tests.Contract;

/// <summary>
/// Holds every answer of the app against docs/openapi.yaml, with the published <c>ajv</c> validator in a Node process that lives as long as the tests.
/// </summary>
public sealed partial class OpenApiContract : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Process _validator;

    public OpenApiContract()
    {
        var root = Repository.Root;
        _validator = Process.Start(new ProcessStartInfo("node")
        {
            ArgumentList =
            {
                Path.Combine(root, "tests", "Functions.Tests", "Contract", "validate.mjs"),
                Path.Combine(root, "docs", "openapi.yaml"),
                Path.Combine(root, "local"),
            },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        }) ?? throw new InvalidOperationException("Node did not start; ./test says what is missing.");
    }

    public async Task CheckAsync(HttpMethod method, string path, int status, string? contentType, string body)
    {
        await _turn.WaitAsync();
        try
        {
            var line = JsonSerializer.Serialize(new Answer(method.Method, path, status, contentType, body), ContractJson.Default.Answer);
            await _validator.StandardInput.WriteLineAsync(line);
            await _validator.StandardInput.FlushAsync();
            var verdict = await _validator.StandardOutput.ReadLineAsync()
                ?? throw new InvalidOperationException("The contract's validator died: run ./test, which installs what it needs.");
            var errors = JsonSerializer.Deserialize(verdict, ContractJson.Default.Verdict)!.Errors;
            Assert.True(errors.Count == 0, $"{method} {path} answered {status} against the contract:\n{string.Join('\n', errors)}\n{body}");
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose()
    {
        _validator.StandardInput.Close();
        if (!_validator.WaitForExit(5000))
            _validator.Kill();
        _validator.Dispose();
        _turn.Dispose();
    }

    private sealed record Answer(string Method, string Path, int Status, string? ContentType, string Body);

    private sealed record Verdict(IReadOnlyList<string> Errors);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
    [JsonSerializable(typeof(Answer))]
    [JsonSerializable(typeof(Verdict))]
    private sealed partial class ContractJson : JsonSerializerContext;
}
