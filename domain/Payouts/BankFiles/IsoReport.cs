using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;

namespace Payments.Domain.Payouts.BankFiles;

/// <summary>
/// Reads one ISO 20022 file element by element, so that the tree of a statement with a million entries is never in memory as a whole. Every
/// payout that the file names ends as a result or as unmatched.
/// </summary>
internal sealed partial class IsoReport(IReadOnlyCollection<string> accounts)
{
    private readonly List<BankResult> _results = [];
    private readonly List<BankFileResult> _files = [];
    private readonly List<UnmatchedWord> _unmatched = [];
    private readonly HashSet<PayoutId> _named = [];
    private readonly HashSet<Guid> _namedFiles = [];
    private readonly HashSet<Guid> _referenced = [];
    private readonly HashSet<PayoutId> _unclear = [];
    private readonly HashSet<Guid> _unclearFiles = [];
    private readonly HashSet<string> _accounts = [.. accounts.Select(IsoStatement.Canonical)];
    private int _foreign;
    private int _statements;
    private int _ownStatements;
    private string? _id;

    /// <summary>Reads the file. Returns null if it has none of the messages.</summary>
    public async Task<BankReport?> ReadAsync(XmlReader xml, CancellationToken ct)
    {
        var found = false;
        await xml.ReadAsync();
        while (!xml.EOF)
        {
            if (xml.NodeType == XmlNodeType.Element && Kind(xml.LocalName) is { } kind)
            {
                found = true;
                await ReadMessageAsync(xml, kind, ct);
                continue;
            }

            Note(xml);
            await xml.ReadAsync();
        }

        if (!found)
        {
            return null;
        }

        if (_statements > 0 && _ownStatements == 0)
        {
            throw new BankFileException("None of the statements in the file is of an account of ours.");
        }

        WithholdReturns();
        NoteUnseen();
        _namedFiles.ExceptWith(_referenced);
        return new BankReport(_id ?? "", _results, _files, _foreign) { Unmatched = _unmatched, NamedElsewhere = _namedFiles };
    }

    // The first versions have their number in the name of the message.
    private static MessageKind? Kind(string element) =>
        element.StartsWith("CstmrPmtStsRpt", StringComparison.Ordinal) || element.StartsWith("pain.002.", StringComparison.Ordinal) ? MessageKind.Status
        : element.StartsWith("BkToCstmrStmt", StringComparison.Ordinal) || element.StartsWith("BkToCstmrAcctRpt", StringComparison.Ordinal)
            || element.StartsWith("BkToCstmrDbtCdtNtfctn", StringComparison.Ordinal) ? MessageKind.Statement
        : null;

    private async Task ReadMessageAsync(XmlReader xml, MessageKind kind, CancellationToken ct)
    {
        var depth = xml.Depth;
        var status = kind == MessageKind.Status ? new IsoStatusReport() : null;
        IsoStatement? statement = null;
        var paged = false;
        if (xml.IsEmptyElement)
        {
            await xml.ReadAsync();
            return;
        }

        await xml.ReadAsync();
        while (!xml.EOF && xml.Depth > depth)
        {
            var level = xml.Depth - depth;
            if (xml.NodeType == XmlNodeType.Element && level == 1 && xml.LocalName == "GrpHdr")
            {
                var header = await TakeAsync(xml, ct);
                _id ??= IsoXml.Value(header, "MsgId");
                paged = IsoStatement.IsPage(IsoXml.Child(header, "MsgPgntn"));
            }
            else if (xml.NodeType == XmlNodeType.Element && status is not null && level == 1 && IsoStatusReport.Reads(xml.LocalName))
            {
                status.Add(await TakeAsync(xml, ct));
            }
            else if (xml.NodeType == XmlNodeType.Element && status is null && level == 1 && xml.LocalName is "Stmt" or "Rpt" or "Ntfctn" && !xml.IsEmptyElement)
            {
                statement = new IsoStatement(paged);
                await xml.ReadAsync();
            }
            else if (xml.NodeType == XmlNodeType.EndElement && statement is not null && level == 1)
            {
                Finish(statement);
                statement = null;
                await xml.ReadAsync();
            }
            else if (xml.NodeType == XmlNodeType.Element && statement is not null && level == 2 && IsoStatement.Reads(xml.LocalName))
            {
                statement.Add(await TakeAsync(xml, ct));
            }
            else
            {
                Note(xml);
                await xml.ReadAsync();
            }
        }

        // The end of the message itself.
        await xml.ReadAsync();
        if (status is not null)
        {
            status.Finish();
            _results.AddRange(status.Results);
            _files.AddRange(status.Files);
            _unmatched.AddRange(status.Unmatched);
            _referenced.UnionWith(status.Referenced);
            _foreign += status.Foreign;
        }
    }

    private void Finish(IsoStatement statement)
    {
        _statements++;
        if (statement.IsOf(_accounts))
        {
            _ownStatements++;
            statement.Check();
            _unclear.UnionWith(statement.Unclear);
            _unclearFiles.UnionWith(statement.UnclearFiles);
            _results.AddRange(statement.Results);
            _files.AddRange(statement.Files);
        }
        else
        {
            const string Detail = "The statement is of an account that is not ours.";
            _unmatched.AddRange(statement.Results.Select(result => UnmatchedWord.Of(result, UnmatchedReason.AccountNotOurs, Detail)));
            _unmatched.AddRange(statement.Files.Select(file => UnmatchedWord.Of(file, UnmatchedReason.AccountNotOurs, Detail)));
        }

        _unmatched.AddRange(statement.Unmatched);
        _referenced.UnionWith(statement.Referenced);
        _foreign += statement.Foreign;
    }

    // If the same report has an entry that may undo a return, the return is not applied: the money may have left again.
    private void WithholdReturns()
    {
        const string Detail = "The same report books a debit that may undo this return.";
        var withheld = _results.Where(r => r is { Said: PayoutStatus.Returned, Payout: { } payout } && _unclear.Contains(payout));
        foreach (var result in withheld.ToList())
        {
            _results.Remove(result);
            _unmatched.Add(UnmatchedWord.Of(result, UnmatchedReason.ReversalUnclear, Detail));
        }

        for (var i = _files.Count - 1; i >= 0; i--)
        {
            if (_files[i].Said != PayoutStatus.Returned)
            {
                continue;
            }

            if (_unclearFiles.Contains(_files[i].File))
            {
                _unmatched.Add(UnmatchedWord.Of(_files[i], UnmatchedReason.ReversalUnclear, Detail));
                _files.RemoveAt(i);
            }
            else
            {
                _files[i] = _files[i] with { Except = _unclear };
            }
        }
    }

    private async Task<XElement> TakeAsync(XmlReader xml, CancellationToken ct)
    {
        var element = (XElement)await XNode.ReadFromAsync(xml, ct);
        var files = new HashSet<Guid>();
        var payouts = false;
        foreach (var node in element.DescendantNodes())
        {
            if (node is XText text)
            {
                payouts |= Note(text.Value, files);
            }
            else if (node is XElement { HasAttributes: true } inner)
            {
                foreach (var attribute in inner.Attributes())
                {
                    payouts |= Note(attribute.Value, files);
                }
            }
        }

        // If the element names payouts, their results decide, and the file id in it adds nothing.
        if (!payouts)
        {
            _namedFiles.UnionWith(files);
        }

        return element;
    }

    private void Note(XmlReader xml)
    {
        if (xml.NodeType is XmlNodeType.Text or XmlNodeType.CDATA)
        {
            Note(xml.Value, _namedFiles);
        }
        else if (xml.NodeType == XmlNodeType.Element && xml.HasAttributes)
        {
            for (var i = 0; i < xml.AttributeCount; i++)
            {
                Note(xml.GetAttribute(i), _namedFiles);
            }
        }
    }

    /// <returns>Whether the text names a payout.</returns>
    private bool Note(string text, HashSet<Guid> files)
    {
        if (text.Length < 32)
        {
            return false;
        }

        foreach (var match in FileReference().EnumerateMatches(text))
        {
            files.Add(Guid.ParseExact(text.AsSpan(match.Index, match.Length), "N"));
        }

        var found = false;
        foreach (var match in OwnReference().EnumerateMatches(text))
        {
            if (EndToEndId.TryParse(text.Substring(match.Index, match.Length), out var payout))
            {
                _named.Add(payout);
                found = true;
            }
        }

        return found;
    }

    private void NoteUnseen()
    {
        _named.ExceptWith(_results.Where(r => r.Payout is not null).Select(r => r.Payout!.Value));
        _named.ExceptWith(_unmatched.Where(u => u.Payout is not null).Select(u => u.Payout!.Value));
        foreach (var payout in _named)
        {
            _unmatched.Add(new UnmatchedWord(
                UnmatchedReason.NamedElsewhere, EndToEndId.Of(payout), "The file names the payout outside of the fields for references.")
            { Payout = payout });
        }
    }

    [GeneratedRegex("PO[0-9a-f]{32}(?![0-9a-f])", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex OwnReference();

    [GeneratedRegex("(?<![0-9a-z])[0-9a-f]{32}(?![0-9a-z])", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex FileReference();

    private enum MessageKind
    {
        Status,
        Statement,
    }
}
